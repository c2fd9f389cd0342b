"""Files as they come out of other programs, and those that are not read at all."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from label_cases import make_labels

from cape_mm.errors import AnnotationFormatError, ConfigError
from cape_mm.formats import read_labels, write_labels

PLAIN = [
    ['scorer', '', '', 'me', 'me', 'me', 'me'],
    ['bodyparts', '', '', 'snout', 'snout', 'tail', 'tail'],
    ['coords', '', '', 'x', 'y', 'x', 'y'],
    ['labeled-data', 'v', '1.png', '10.5', '20', '', ''],
    ['labeled-data', 'v', '2.png', '1', '2', '3', '4'],
]
CATEGORY = dict(id=1, name='mouse', keypoints=['a', 'b', 'c', 'd'], skeleton=[])


def as_text(rows: list[list[str]], **options) -> str:
    file = io.StringIO()
    csv.writer(file, **options).writerows(rows)
    return file.getvalue()


def filled(rows: list[list[str]]) -> list[list[str]]:
    """As pandas fills the empty cells of a header."""
    return [
        [c or f'Unnamed: {k}_level_{n}' for k, c in enumerate(row)] if n < 3 else row
        for n, row in enumerate(rows)
    ]


DEEPLABCUT = dict(
    plain=as_text(PLAIN),
    pandas=as_text(filled(PLAIN)),
    mangled=as_text([['scorer', '', '', 'me', 'me.1', 'me.2', 'me.3'], *PLAIN[1:]]),
    with_row_numbers=as_text([[str(n), *row] for n, row in enumerate(PLAIN)]),
    excel='\ufeff' + as_text([[*row, '', ''] for row in PLAIN], lineterminator='\r\n'),
    r=as_text(
        [[cell or 'NA' if n > 2 else cell or 'X' for cell in row] for n, row in
         enumerate(PLAIN)],
        quoting=csv.QUOTE_ALL,
    ),
    numbered_by_pandas=as_text(
        [['', *range(7)], *([n, *row] for n, row in enumerate(PLAIN))]
    ),
    told_its_separator='sep=,\n' + as_text(PLAIN),
    none_of_pandas=as_text(PLAIN).replace('20,,', '20,None,<NA>'),
    empty_rows=as_text([*PLAIN[:3], [''] * 7, PLAIN[3], [], PLAIN[4], [''] * 7]),
)  # fmt: skip


@pytest.mark.parametrize('text', DEEPLABCUT.values(), ids=DEEPLABCUT)
def test_deeplabcut_saved_again(text, tmp_path):
    path = tmp_path / 'CollectedData_me.csv'
    path.write_text(text, encoding='utf-8', newline='')
    labels = read_labels(path)
    assert labels.keypoint_names == ('snout', 'tail')
    first, second = labels.pictures
    assert first.file_name == 'labeled-data/v/1.png'
    assert first.instances[0].keypoints.tolist() == [[10.5, 20], [0, 0]]
    assert first.instances[0].visibility.tolist() == [2, 0]
    assert second.instances[0].keypoints.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ([row[:-1] for row in PLAIN], r"'tail' has the columns \['x'\], but x and y"),
        (
            [*PLAIN[:2], ['coords', '', '', '', '', '', '']],
            r"header' has the columns \[\]",
        ),
        ([[*row, row[3]] for row in PLAIN], "'snout' has more than one column x"),
        (PLAIN[:3], 'marks no keypoint'),
        ([*PLAIN[:3], ['a.png', '', '', 'left', '1', '2', '3']], 'could not convert'),
    ],
)
def test_deeplabcut_that_lacks_something(rows, message, tmp_path):
    path = tmp_path / 'CollectedData_me.csv'
    path.write_text(as_text(rows))
    with pytest.raises(AnnotationFormatError, match=f'CollectedData.*{message}'):
        read_labels(path)


@pytest.mark.parametrize('frame', ['7', '7.0'])
def test_our_table_saved_again(frame, tmp_path):
    (path,) = write_labels(make_labels(True, has_frames=True), tmp_path, 'csv')
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding='utf-8'))))
    for number, row in enumerate(rows):
        row.update({k: v or 'NA' for k, v in row.items() if k in ('x', 'y')})
        row.update(frame=frame, visibility=f'{row["visibility"]}.0', number=number)
    rows = [row for row in rows if row['instance'] == '0'][:4]
    path.write_text(as_text([[*rows[0]], *(list(row.values()) for row in rows)]))
    expected = make_labels(True).pictures[0].instances[0]
    (picture,) = read_labels(path).pictures
    assert picture.frame == 7
    np.testing.assert_allclose(picture.instances[0].keypoints, expected.keypoints)
    path.write_text(as_text([[*rows[0]], *(list(row.values()) for row in rows * 2)]))
    with pytest.raises(AnnotationFormatError, match="'nose' is there more than once"):
        read_labels(path)


@pytest.mark.parametrize(
    ('cells', 'message'),
    [
        (dict(frame='inf'), 'frame inf is no number'),
        (dict(frame='1.5'), 'frame 1.5 is no number'),
        (dict(frame='-1'), 'frame -1 is no number'),
        (dict(frame='NA', x='inf', visibility='inf'), None),
        (dict(instance=''), None),
    ],
)
def test_odd_cells_of_our_table(cells, message, tmp_path):
    (path,) = write_labels(make_labels(False), tmp_path, 'csv')
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding='utf-8'))))
    path.write_text(as_text([[*rows[0]], [*(rows[1] | cells).values()]]))
    if message is None:
        (picture,) = read_labels(path).pictures
        assert picture.frame is None and picture.instances[0].visibility.max() < 3
    else:
        with pytest.raises(AnnotationFormatError, match=message):
            read_labels(path)


@pytest.mark.parametrize('encoding', ['utf-16', 'cp1252'])
def test_a_table_in_another_encoding_names_the_one_to_use(encoding, tmp_path):
    rows = [[cell.replace('snout', 'Fuß') for cell in row] for row in PLAIN]
    (tmp_path / 'x.csv').write_text(as_text(rows), encoding=encoding)
    with pytest.raises(AnnotationFormatError, match='"CSV UTF-8"'):
        read_labels(tmp_path / 'x.csv')


def test_another_table_names_its_columns_and_the_way_out(tmp_path):
    (tmp_path / 'x.csv').write_text('track,frame_idx,nose.x\n,0,1\n')
    with pytest.raises(AnnotationFormatError, match="'nose.x'.*export as COCO"):
        read_labels(tmp_path / 'x.csv')


@pytest.mark.parametrize(('separator', 'name'), [(';', 'semicolons'), ('\t', 'tabs')])
def test_other_separators_are_named(separator, name, tmp_path):
    path = tmp_path / 'x.csv'
    path.write_text(as_text(PLAIN, delimiter=separator))
    with pytest.raises(AnnotationFormatError, match=f'by {name}.*with commas'):
        read_labels(path)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('CollectedData_me.h5', 'CSV file beside it'),
        ('labels.v001.SLP', 'SLEAP: export'),
        ('annotations.xml', 'COCO Keypoints 1.0'),
        ('export.zip', 'unpack it first'),
        ('frame.txt', 'YOLO and others'),
        ('labels.XLSX', 'save it as CSV UTF-8'),
        ('labels.mat', 'MATLAB'),
    ],
)
@pytest.mark.parametrize('kind', [None, 'coco', 'deeplabcut'])
def test_files_that_are_not_read_say_what_is(name, message, kind, tmp_path):
    (tmp_path / name).write_bytes(b'\x89HDF')
    with pytest.raises(AnnotationFormatError, match=message):
        read_labels(tmp_path / name, kind)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([dict(id=1, image='a.jpg', kp=[], annotator=1)], 'JSON-MIN: export as JSON'),
        ([dict(image_id=1, category_id=1, keypoints=[])], 'results file, without'),
        ({'_via_img_metadata': {}}, 'VGG Image Annotator'),
        (dict(frames=[], version=2), 'none of them .its keys: frames, version'),
    ],
)
def test_other_json_is_named(content, message, tmp_path):
    (tmp_path / 'x.json').write_text(json.dumps(content))
    with pytest.raises(AnnotationFormatError, match=message):
        read_labels(tmp_path / 'x.json')


def write_coco(path: Path, anns: list[dict], category: dict = CATEGORY, **image):
    image = dict(id=1, file_name='a.jpg', width=64, height=48) | image
    anns = [
        dict(id=n, image_id=1, category_id=1, bbox=[0, 0, 9, 9]) | ann
        for n, ann in enumerate(anns)
    ]
    content = dict(images=[image], annotations=anns, categories=[category])
    path.write_text(json.dumps(content))
    return path


GOOD = dict(keypoints=[1, 2, 2, 3, 4, 2, 5, 6, 2, 7, 8, 2])


def test_coco_annotations_that_do_not_fit_are_counted(tmp_path):
    short, odd = dict(keypoints=[1, 2, 2] * 3), GOOD | dict(bbox=[1, 2, 3])
    labels = read_labels(write_coco(tmp_path / 'a.json', [short, GOOD, odd]))
    ((instance,),) = (picture.instances for picture in labels.pictures)
    assert instance.keypoints.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    (note,) = labels.notes
    assert note.startswith('2 annotations left out') and note.endswith(': 0, 2')


@pytest.mark.parametrize('size', [None, 0, 'wide'])
def test_coco_without_the_size_of_a_picture(size, tmp_path):
    path = write_coco(tmp_path / 'a.json', [GOOD], width=size, height=size)
    content = json.loads(path.read_text())
    if size is None:
        del content['images'][0]['width'], content['images'][0]['height']
    path.write_text(json.dumps(content))
    (picture,) = read_labels(path).pictures
    assert picture.size is None and len(picture.instances) == 1


@pytest.mark.parametrize(
    ('own', 'others', 'expected', 'is_guessed'),
    [
        ([[1, 2], [2, 3]], [], [(0, 1), (1, 2)], True),  # as COCO counts
        ([[1, 2], [2, 3]], [[[0, 1]]], [(1, 2), (2, 3)], False),
        ([[1, 2], [2, 3]], [[[1, 4]]], [(0, 1), (1, 2)], True),
        ([[1, 2], [2, 3]], [[[1, 4]], [[0, 1]]], [(1, 2), (2, 3)], False),
        ([[1, 2], [2, 4]], [[[0, 1]]], [(0, 1), (1, 3)], False),
    ],
)
def test_a_skeleton_counts_as_the_others_of_its_file(
    own, others, expected, is_guessed, tmp_path
):
    path = write_coco(tmp_path / 'a.json', [GOOD], CATEGORY | dict(skeleton=own))
    content = json.loads(path.read_text())
    for n, skeleton in enumerate(others, start=2):
        other = CATEGORY | dict(id=n, name=f'other {n}', skeleton=skeleton)
        content['categories'].append(other)
    path.write_text(json.dumps(content))
    labels = read_labels(path)
    assert list(labels.skeleton) == expected
    assert bool(labels.notes) == is_guessed
    (again,) = write_labels(labels, tmp_path / 'out', 'coco')
    assert list(read_labels(again).skeleton) == expected  # ours says how it counts


def test_one_of_two_categories_of_a_name_by_id(tmp_path):
    path = write_coco(tmp_path / 'person_keypoints_a.json', [GOOD, GOOD])
    content = json.loads(path.read_text())
    other = CATEGORY | dict(id=2, skeleton=[[1, 2]])
    content['categories'] = [CATEGORY | dict(skeleton=[[2, 3]]), other]
    content['annotations'][1]['category_id'] = 2
    path.write_text(json.dumps(content))
    assert read_labels(path, category='2').skeleton == ((0, 1),)
    assert read_labels(path, category='1').skeleton == ((1, 2),)
    with pytest.raises(ConfigError, match="by id or name: 1 'mouse', 2 'mouse'"):
        read_labels(path, category='mouse')


def test_names_come_in_one_form_of_unicode(tmp_path):
    def decomposed(text):
        return unicodedata.normalize('NFD', text)

    names = [decomposed('Fuß é'), 'b', 'c', 'd']
    category = CATEGORY | dict(name=decomposed('Möwe'), keypoints=names)
    name = decomposed('étoile\\ü.jpg')
    path = write_coco(tmp_path / 'a.json', [GOOD], category, file_name=name)
    labels = read_labels(path, category='Möwe')
    assert (labels.category, labels.keypoint_names[0]) == ('Möwe', 'Fuß é')
    assert [picture.file_name for picture in labels.pictures] == ['étoile/ü.jpg']


@pytest.mark.parametrize('key', ['name', 'keypoints', 'file_name'])
def test_half_a_letter_is_refused(key, tmp_path):
    half = '\ud800'
    category = CATEGORY | {key: [half, 'b', 'c', 'd'] if key == 'keypoints' else half}
    image = dict(file_name=half) if key == 'file_name' else {}
    path = write_coco(tmp_path / 'a.json', [GOOD], category, **image)
    with pytest.raises(AnnotationFormatError, match=r"half a letter, '.ud800'"):
        read_labels(path)


@pytest.mark.parametrize('start', ['[', '{"a":'])
def test_deep_nesting_is_refused(start, tmp_path):
    (tmp_path / 'a.json').write_text(start * 200_000)
    with pytest.raises(AnnotationFormatError, match='too deeply'):
        read_labels(tmp_path / 'a.json')


@pytest.mark.parametrize(
    ('name', 'is_outside'),
    [
        ('a/../b.jpg', False),
        ('./a..b/c.jpg', False),
        ('../b.jpg', True),
        ('a/../../b.jpg', True),
        ('/data/b.jpg', True),
        ('C:\\data\\b.jpg', True),
    ],
)
def test_names_that_leave_the_folder(name, is_outside, tmp_path):
    (picture,) = read_labels(
        write_coco(tmp_path / 'a.json', [GOOD], file_name=name)
    ).pictures
    assert picture.is_outside == is_outside


@pytest.mark.parametrize('scores', ['high', [1, 2], None])
def test_scores_that_do_not_fit(scores, tmp_path):
    path = write_coco(tmp_path / 'a.json', [GOOD | dict(keypoint_scores=scores)])
    if scores == 'high':
        with pytest.raises(AnnotationFormatError, match='not a COCO file'):
            read_labels(path)
    else:
        assert list(read_labels(path).pictures)[0].instances[0].confidence is None


@pytest.mark.parametrize(
    ('name', 'video'),
    [('clip 1DLC_resnet50_x', 'clip 1'), ('DLC_aDLC_resnet50_x', 'DLC_a'), ('b', 'b')],
)
def test_an_analysed_video_by_its_name(name, video, tmp_path):
    rows = [['', *row[3:]] for row in PLAIN]
    for place, word in enumerate(('scorer', 'bodyparts', 'coords', '0', '1')):
        rows[place][0] = word
    (tmp_path / f'{name}.csv').write_text(as_text(rows))
    pictures = read_labels(tmp_path / f'{name}.csv').pictures
    assert [(p.file_name, p.frame) for p in pictures] == [(video, 0), (video, 1)]
