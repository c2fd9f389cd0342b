"""What is written is read back, in every format and through the registry."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from label_cases import assert_same, make_labels

from cape_mm.errors import AnnotationFormatError, ConfigError, MissingDataError
from cape_mm.formats import (
    FORMATS,
    LabelledInstance,
    LabelSet,
    guess_format,
    read_labels,
    write_labels,
)

UNMARKED = dict(type='keypointlabels')
NO_PLACE = dict(
    coco=dict(empty=False),
    cvat=dict(empty=False),
    csv=dict(skeleton=False, size=False, empty=False),
    labelme=dict(skeleton=False),
    label_studio=dict(skeleton=False, visibility=False, empty=False),
    deeplabcut=dict(skeleton=False, visibility=False, size=False, boxes=False),
)
"""What a format can not say."""


@pytest.mark.parametrize('has_frames', [False, True])
@pytest.mark.parametrize('has_scores', [False, True])
@pytest.mark.parametrize('kind', NO_PLACE)
def test_round_trip(kind, has_scores, has_frames, tmp_path):
    labels = make_labels(has_scores, has_frames)
    files = write_labels(labels, tmp_path, kind)
    assert files and all(path.is_file() for path in files)
    path = tmp_path / FORMATS[kind].name
    assert guess_format(path) == kind
    found = read_labels(path)
    assert_same(found, labels, **NO_PLACE[kind])
    assert found.category in ('field mouse', 'object', 'animal')


@pytest.mark.parametrize('kind', FORMATS)
def test_writing_is_deterministic_and_replaces(kind, tmp_path):
    for folder in ('a', 'b', 'a'):
        write_labels(make_labels(True), tmp_path / folder, kind)
    for path in (tmp_path / 'a').rglob('*.*'):
        if path.is_file():
            other = tmp_path / 'b' / path.relative_to(tmp_path / 'a')
            assert path.read_bytes() == other.read_bytes()


def test_unwritable_places(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='can not be written'):
        write_labels(make_labels(True), tmp_path / 'file', 'coco')


def test_unknown_formats(tmp_path):
    with pytest.raises(ConfigError, match="got 'voc'"):
        write_labels(make_labels(True), tmp_path, 'voc')
    write_labels(make_labels(True), tmp_path, 'sleap')
    with pytest.raises(ConfigError, match="got 'sleap'"):
        read_labels(tmp_path / 'sleap.json', 'sleap')


@pytest.mark.parametrize('text', ['[]', '{}', '3', '[1, 2]', '{"shapes": []}'])
def test_json_that_is_no_labels(text, tmp_path):
    path = tmp_path / 'x.json'
    path.write_text(text)
    with pytest.raises(AnnotationFormatError, match='none of them'):
        guess_format(path)


@pytest.mark.parametrize(
    'content',
    [
        dict(shapes=[dict(shape_type='point')], imagePath='a.png'),
        dict(shapes=[dict(shape_type='point', label='a', points=[])], imagePath='a'),
        dict(shapes=3, imagePath='a.png'),
        dict(shapes=[], imagePath='a.png'),
        [dict(data=dict(image='a.png'), predictions=[dict(result=[UNMARKED])])],
        [dict(data=dict(text='no picture'))],
        [dict(data=dict(image='a.png'), annotations=[])],
        dict(images=[], annotations=[dict(keypoints=[1])], categories=[]),
        dict(images=3, annotations=[], categories=[]),
    ],
)
def test_damaged_files_say_where(content, tmp_path):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationFormatError, match='x.json'):
        read_labels(path)


@pytest.mark.parametrize(
    'text',
    [
        '',
        'a,b\n1,2\n',
        'scorer,me\nx,1\n',
        'scorer,me,me\nbodyparts,a,a\ncoords,x,y\nf.png,one,2\n',
        'file,frame,instance,keypoint,x,y\na.png,,0,nose,one,2\n',
    ],
)
def test_damaged_tables_say_where(text, tmp_path):
    path = tmp_path / 'x.csv'
    path.write_text(text)
    with pytest.raises(AnnotationFormatError, match='x.csv'):
        read_labels(path)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(MissingDataError, match='no such file'):
        read_labels(tmp_path / 'none.json')
    for kind in ('coco', 'labelme', 'label_studio', 'csv', 'deeplabcut', 'cvat'):
        with pytest.raises(MissingDataError):
            read_labels(tmp_path / 'none', kind)
    path = tmp_path / 'x.json'
    path.write_bytes(b'\x89PNG\xff')
    with pytest.raises(AnnotationFormatError, match='not a JSON file'):
        read_labels(path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(MissingDataError, match='holds no JSON'):
        read_labels(tmp_path / 'empty')


def test_real_file_through_every_format(shared_data, tmp_path):
    """Real people with hidden and missing keypoints, several on a picture."""
    path = shared_data / 'realcape/annotations/realcape_val.json'
    if not path.is_file():
        pytest.skip(f'no {path}')
    for category in ('fruit_fly', 'apriltag', 'drosophila_wing'):
        labels = read_labels(path, category=category)
        for kind, options in NO_PLACE.items():
            folder = tmp_path / category
            write_labels(labels, folder, kind)
            found = read_labels(folder / FORMATS[kind].name)
            expected, options = labels, dict(options)
            if kind == 'labelme':  # files in the order of their names
                found, expected = _by_name(found), _by_name(labels)
            if set(found.keypoint_names) == set(labels.keypoint_names):
                found = _reorder(found, labels.keypoint_names)
            assert_same(found, expected, **options)


def _by_name(labels: LabelSet) -> LabelSet:
    pictures = sorted(labels.pictures, key=lambda picture: picture.file_name)
    return LabelSet(labels.category, labels.keypoint_names, labels.skeleton, pictures)


def _reorder(labels: LabelSet, names: tuple[str, ...]) -> LabelSet:
    """The same labels with their keypoints in another order."""
    order = [labels.keypoint_names.index(name) for name in names]
    pictures = [
        replace(picture, instances=tuple(_pick(i, order) for i in picture.instances))
        for picture in labels.pictures
    ]
    return replace(labels, keypoint_names=names, pictures=pictures)


def _pick(instance: LabelledInstance, order: list[int]) -> LabelledInstance:
    parts = ('keypoints', 'visibility', 'confidence')
    values = {name: getattr(instance, name) for name in parts}
    picked = {k: None if v is None else v[order] for k, v in values.items()}
    return replace(instance, **picked)
