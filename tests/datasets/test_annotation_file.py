"""Annotation files: what is kept, one clear message per defect, several as one."""

from __future__ import annotations

import copy
import json

import pytest
from episode_data import CocoTree

from cape_mm.datasets import MP100EpisodeDataset
from cape_mm.datasets.annotation_file import read_annotation_file, read_annotation_files
from cape_mm.errors import AnnotationFormatError, MissingDataError

IMAGE = dict(id=1, file_name='cat/a.jpg', width=8, height=8)
ANNOTATION = dict(id=5, image_id=1, category_id=2)
CATEGORY = dict(id=2, name='cat')
ENTRIES = dict(images=IMAGE, annotations=ANNOTATION, categories=CATEGORY)
HUGE = 10**400
"""An integer of JSON that no float holds."""


def write(path, **lists):
    content = {name: [entry] for name, entry in ENTRIES.items()}
    path.write_text(json.dumps({**content, **lists}))
    return path


def refuse(tmp_path, message, **lists):
    path = write(tmp_path / 'a.json', **lists)
    with pytest.raises(AnnotationFormatError, match=rf'a\.json: {message}') as info:
        read_annotation_file(path)
    assert len(str(info.value)) < len(str(path)) + 200


def test_keeps_the_files_order_and_large_ids(tmp_path, capsys):
    ids = [4800000000012684, 7, 2**62]
    images = [dict(IMAGE, id=i) for i in ids]
    owners = [(3, 7), (1, 2**62), (2, 7), (9, 4800000000012684)]
    annotations = [dict(ANNOTATION, id=a, image_id=i) for a, i in owners]
    path = write(tmp_path / 'a.json', images=images, annotations=annotations)
    coco = read_annotation_file(path)
    assert list(coco.imgs) == ids
    assert [ann['id'] for ann in coco.imgToAnns[7]] == [3, 2]
    assert capsys.readouterr().out == ''


def test_missing_file_names_the_path_and_the_next_step(tmp_path):
    with pytest.raises(MissingDataError, match=r'no\.json.*data_root.*make demo'):
        read_annotation_file(tmp_path / 'no.json')
    with pytest.raises(FileNotFoundError):
        read_annotation_file(tmp_path)  # a folder is no file either


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'is not a JSON file'),
        (b'{"images": [', 'is not a JSON file'),
        (b'\xff\xd8\xff\xe0JFIF', 'is not a JSON file'),
        (b'[1, 2]', r'is not a COCO file .* it holds a list'),
        (b'{"images": [], "shapes": []}', 'no list named annotations, categories; it'),
    ],
)
def test_file_of_another_kind(tmp_path, content, message):
    path = tmp_path / 'a.json'
    path.write_bytes(content)
    with pytest.raises(AnnotationFormatError, match=rf'a\.json.* {message}'):
        read_annotation_file(path)


@pytest.mark.parametrize('name', ENTRIES)
def test_list_of_something_else_than_objects(tmp_path, name):
    refuse(tmp_path, f'every entry of "{name}" .* of type int', **{name: [3]})


@pytest.mark.parametrize(
    ('name', 'key'),
    [
        *(('images', key) for key in IMAGE),
        *(('annotations', key) for key in ANNOTATION),
        ('categories', 'id'),
    ],
)
def test_incomplete_entry(tmp_path, name, key):
    entry = {k: v for k, v in ENTRIES[name].items() if k != key}
    refuse(tmp_path, f'.* has no {key}', **{name: [entry]})


@pytest.mark.parametrize('value', [None, '5', 5.0, True, -1, [5], {}, 2**63])
@pytest.mark.parametrize(
    ('name', 'key'),
    [
        ('images', 'id'),
        *(('annotations', key) for key in ANNOTATION),
        ('categories', 'id'),
    ],
)
def test_id_that_is_no_integer(tmp_path, name, key, value):
    entry = {**ENTRIES[name], key: value}
    refuse(tmp_path, f'.*"{key}" should be a non-negative integer', **{name: [entry]})


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        *(('width', value, 'a number of pixels') for value in (None, '8', 0, HUGE)),
        *(('height', value, 'a number of pixels') for value in ([8], '8', True)),
        *(('file_name', value, 'the name') for value in (None, '', 3, 'a\0.jpg')),
    ],
)
def test_value_of_an_image(tmp_path, key, value, message):
    message = f'image 1: "{key}" should be {message}'
    refuse(tmp_path, message, images=[{**IMAGE, key: value}])


@pytest.mark.parametrize(
    'file_name',
    ['../a.jpg', 'cat/../../a.jpg', '/etc/a.jpg', '..\\a.jpg', 'a\\..\\a'],
)
def test_file_name_outside_the_data_root(tmp_path, file_name):
    message = 'image 1 points outside the data root'
    refuse(tmp_path, message, images=[dict(IMAGE, file_name=file_name)])


@pytest.mark.parametrize('key', ['bbox', 'keypoints'])
@pytest.mark.parametrize(
    'value',
    [
        *('1 2', 3, {'x': 1}, ['a', 1], [[1, 2], [3, 4]], [True, 1]),
        *([1.0, HUGE, 2], [-HUGE, 1, 2, 3], ['x'] * 999),
    ],
)
def test_list_of_something_else_than_numbers(tmp_path, key, value):
    message = f'annotation 5: "{key}" should be a flat list of numbers, but is'
    refuse(tmp_path, message, annotations=[{**ANNOTATION, key: value}])


@pytest.mark.parametrize(
    'fields',
    [
        dict(bbox=None, keypoints=None, area=None),
        dict(bbox=[], keypoints=[]),
        dict(bbox=[None, 1, 2, 3], keypoints=[float('nan'), 1, 2], area=float('nan')),
    ],
)
def test_empties_and_gaps_are_left_to_the_filters(tmp_path, fields):
    image = dict(IMAGE, file_name='cat..1/a..b.jpg')  # dots inside a name are fine
    annotations = [dict(ANNOTATION, **fields)]
    path = write(tmp_path / 'a.json', images=[image], annotations=annotations)
    assert list(read_annotation_file(path).anns) == [5]


@pytest.fixture
def parted(coco_tree) -> CocoTree:
    """Three categories; one image shows an instance of 1 and one of 2."""
    coco_tree.fill(1, num_images=3)
    coco_tree.fill(2, num_images=3, num_keypoints=5)
    coco_tree.fill(3, num_images=2)
    coco_tree.add_annotation(1, 2, keypoints=[20.0, 20.0, 2] * 5)
    return coco_tree


def write_part(parted: CocoTree, name: str, category_ids: set[int], **changes) -> str:
    """A file with some categories, as the splits of MP-100 repeat them."""
    content = copy.deepcopy(parted.content)
    content['categories'] = [
        c for c in content['categories'] if c['id'] in category_ids
    ]
    anns = [a for a in content['annotations'] if a['category_id'] in category_ids]
    shown = {ann['image_id'] for ann in anns}
    content['annotations'] = anns
    content['images'] = [i for i in content['images'] if i['id'] in shown]
    for path, value in changes.items():
        kind, key = path.split('__')
        content[kind][0][key] = value
    (parted.root / name).write_text(json.dumps(content))
    return str(parted.root / name)


def ids(coco, kind):
    return [entry['id'] for entry in coco.dataset[kind]]


def test_overlapping_files_give_every_entry_once(parted):
    files = [
        write_part(parted, 'a.json', {1, 2}),
        write_part(parted, 'b.json', {2, 3}),
    ]
    coco = read_annotation_files(files)
    assert ids(coco, 'categories') == [1, 2, 3]
    assert sorted(ids(coco, 'images')) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sorted(ids(coco, 'annotations')) == list(range(100, 109))
    dataset = MP100EpisodeDataset(
        ['a.json', 'b.json'], data_root=str(parted.root), test_mode=True
    )
    assert len(dataset) == 9
    assert dataset.index.filter_report.dropped == {}
    assert dataset.ann_files == tuple(files)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(images__width=49), '"images" with id 4 has another "width"'),
        (dict(images__file_name='x.jpg'), '"images" .* another "file_name"'),
        (dict(annotations__category_id=3), '"annotations" .* "category_id"'),
        (dict(annotations__keypoints=[1.0, 1.0, 2] * 5), '"annotations" .*"keypoints"'),
        (dict(categories__name='other'), '"categories" with id 2 has another "name"'),
        (dict(categories__skeleton=[]), '"categories" .* another "skeleton"'),
    ],
)
def test_files_that_disagree_are_refused(parted, change, message):
    first = write_part(parted, 'a.json', {1, 2})
    parted.content['images'] = (
        parted.content['images'][3:] + parted.content['images'][:3]
    )
    second = write_part(parted, 'b.json', {2, 3}, **change)
    with pytest.raises(AnnotationFormatError, match=f'b.json .*a.json .*{message}'):
        read_annotation_files([first, second])


def test_included_and_excluded_categories(parted):
    path = write_part(parted, 'a.json', {1, 2, 3})
    coco = read_annotation_files([path], include={1, 2}, exclude={2})
    assert ids(coco, 'categories') == [1]
    assert ids(coco, 'images') == [1, 2, 3]
    assert ids(coco, 'annotations') == [100, 101, 102]
    # the first image also shows an instance of category 2
    coco = read_annotation_files([path], exclude=[1])
    assert ids(coco, 'images') == [1, 4, 5, 6, 7, 8]
    assert 100 not in ids(coco, 'annotations')


def test_files_of_the_real_splits_agree(mp100_annotations):
    files = sorted(mp100_annotations.glob('mp100_split?_*.json'))
    coco = read_annotation_files(files)
    assert len(coco.dataset['categories']) == 100
    assert len(coco.anns) == len(coco.dataset['annotations'])
    tests = read_annotation_files([f for f in files if f.stem.endswith('test')])
    assert len(tests.anns) == 10_000
