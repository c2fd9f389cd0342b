"""Reading an annotation file: what is kept, and one clear message per defect."""

import json

import pytest

from cape_mm.datasets.annotation_file import read_annotation_file
from cape_mm.errors import AnnotationFormatError, MissingDataError

IMAGE = dict(id=1, file_name='cat/a.jpg', width=8, height=8)
ANNOTATION = dict(id=5, image_id=1, category_id=2)
CATEGORY = dict(id=2, name='cat')


def write(path, **lists):
    content = dict(images=[IMAGE], annotations=[ANNOTATION], categories=[CATEGORY])
    path.write_text(json.dumps({**content, **lists}))
    return path


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


@pytest.mark.parametrize('content', [b'', b'{"images": [', b'\xff\xd8\xff\xe0JFIF'])
def test_file_that_is_not_json(tmp_path, content):
    path = tmp_path / 'a.json'
    path.write_bytes(content)
    with pytest.raises(AnnotationFormatError, match=r'a\.json is not a JSON file'):
        read_annotation_file(path)


def test_json_of_another_kind(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('[1, 2]')
    message = r'a\.json is not a COCO file .* it holds a list'
    with pytest.raises(AnnotationFormatError, match=message):
        read_annotation_file(path)
    path.write_text('{"images": [], "shapes": []}')
    message = r'no list named annotations, categories; it has .*shapes'
    with pytest.raises(AnnotationFormatError, match=message):
        read_annotation_file(path)


@pytest.mark.parametrize('name', ['images', 'annotations', 'categories'])
def test_list_of_something_else_than_objects(tmp_path, name):
    path = write(tmp_path / 'a.json', **{name: [3]})
    with pytest.raises(AnnotationFormatError, match=rf'a\.json.*"{name}".*int'):
        read_annotation_file(path)


@pytest.mark.parametrize('key', ['id', 'file_name', 'width', 'height'])
def test_incomplete_image(tmp_path, key):
    image = {k: v for k, v in IMAGE.items() if k != key}
    path = write(tmp_path / 'a.json', images=[image])
    with pytest.raises(AnnotationFormatError, match=rf'a\.json: image .* has no {key}'):
        read_annotation_file(path)


@pytest.mark.parametrize('key', ['id', 'image_id', 'category_id'])
def test_incomplete_annotation(tmp_path, key):
    annotation = {k: v for k, v in ANNOTATION.items() if k != key}
    path = write(tmp_path / 'a.json', annotations=[annotation])
    with pytest.raises(AnnotationFormatError, match=rf'annotation .* has no {key}'):
        read_annotation_file(path)


@pytest.mark.parametrize('name', ['images', 'annotations', 'categories'])
@pytest.mark.parametrize('value', [None, '5', 5.0, True, -1, [5], 2**63])
def test_id_that_is_no_integer(tmp_path, name, value):
    entry = dict(images=IMAGE, annotations=ANNOTATION, categories=CATEGORY)[name]
    path = write(tmp_path / 'a.json', **{name: [dict(entry, id=value)]})
    with pytest.raises(
        AnnotationFormatError, match=r'a\.json: .*"id" should be a non-'
    ):
        read_annotation_file(path)


@pytest.mark.parametrize('key', ['image_id', 'category_id'])
@pytest.mark.parametrize('value', [None, '5', 5.0, True, -1, {}])
def test_reference_that_is_no_integer(tmp_path, key, value):
    path = write(tmp_path / 'a.json', annotations=[dict(ANNOTATION, **{key: value})])
    with pytest.raises(AnnotationFormatError, match=rf'a\.json: annotation 5: "{key}"'):
        read_annotation_file(path)


def test_category_without_id(tmp_path):
    path = write(tmp_path / 'a.json', categories=[dict(name='cat')])
    with pytest.raises(AnnotationFormatError, match='category without id has no id'):
        read_annotation_file(path)


def test_image_id_used_twice(tmp_path):
    images = [IMAGE, dict(IMAGE, id=2), dict(IMAGE, file_name='cat/b.jpg')]
    path = write(tmp_path / 'a.json', images=images)
    with pytest.raises(
        AnnotationFormatError, match=r'a\.json: image 1 is listed twice'
    ):
        read_annotation_file(path)


@pytest.mark.parametrize('key', ['width', 'height'])
@pytest.mark.parametrize('value', [None, '8', [8], True])
def test_image_size_that_is_no_number(tmp_path, key, value):
    path = write(tmp_path / 'a.json', images=[dict(IMAGE, **{key: value})])
    with pytest.raises(
        AnnotationFormatError, match=rf'a\.json: image 1: "{key}" should'
    ):
        read_annotation_file(path)


@pytest.mark.parametrize('file_name', [None, '', 3, 'a\0.jpg'])
def test_file_name_that_is_no_name(tmp_path, file_name):
    path = write(tmp_path / 'a.json', images=[dict(IMAGE, file_name=file_name)])
    with pytest.raises(AnnotationFormatError, match='image 1: "file_name" should be'):
        read_annotation_file(path)


@pytest.mark.parametrize('key', ['bbox', 'keypoints'])
@pytest.mark.parametrize(
    'value', ['1 2', 3, {'x': 1}, ['a', 1], [[1, 2], [3, 4]], [True, 1]]
)
def test_numbers_that_are_none(tmp_path, key, value):
    path = write(tmp_path / 'a.json', annotations=[dict(ANNOTATION, **{key: value})])
    message = (
        rf'a\.json: annotation 5: "{key}" should be a flat list of numbers, but is'
    )
    with pytest.raises(AnnotationFormatError, match=message):
        read_annotation_file(path)


HUGE = 10**400
"""An integer of JSON that no float holds."""


@pytest.mark.parametrize(
    'fields, key',
    [
        (dict(keypoints=[1.0, HUGE, 2]), 'keypoints'),
        (dict(bbox=[-HUGE, 1, 2, 3]), 'bbox'),
        (dict(area=HUGE), 'area'),
    ],
)
def test_number_beyond_all_floats(tmp_path, fields, key):
    path = write(tmp_path / 'a.json', annotations=[dict(ANNOTATION, **fields)])
    message = rf'a\.json: annotation 5: "{key}" should be .*000\.\.\.'
    with pytest.raises(AnnotationFormatError, match=message):
        read_annotation_file(path)


def test_picture_beyond_all_floats(tmp_path):
    path = write(tmp_path / 'a.json', images=[dict(IMAGE, width=HUGE)])
    with pytest.raises(AnnotationFormatError, match='image 1: "width" should be a num'):
        read_annotation_file(path)


@pytest.mark.parametrize('area', ['400', [400], True, ''])
def test_area_that_is_no_number(tmp_path, area):
    path = write(tmp_path / 'a.json', annotations=[dict(ANNOTATION, area=area)])
    with pytest.raises(AnnotationFormatError, match='annotation 5: "area" should be'):
        read_annotation_file(path)


def test_long_values_are_cut_in_the_message(tmp_path):
    annotation = dict(ANNOTATION, keypoints=['x'] * 999)
    path = write(tmp_path / 'a.json', annotations=[annotation])
    with pytest.raises(AnnotationFormatError) as info:
        read_annotation_file(path)
    assert str(info.value).endswith('...')
    assert len(str(info.value)) < len(str(path)) + 200


@pytest.mark.parametrize(
    'fields',
    [
        dict(bbox=None, keypoints=None, area=None),
        dict(bbox=[], keypoints=[]),
        dict(bbox=[None, 1, 2, 3], keypoints=[float('nan'), 1, 2], area=float('nan')),
    ],
)
def test_empties_and_gaps_are_left_to_the_filters(tmp_path, fields):
    path = write(tmp_path / 'a.json', annotations=[dict(ANNOTATION, **fields)])
    assert list(read_annotation_file(path).anns) == [5]


@pytest.mark.parametrize(
    'file_name',
    ['../a.jpg', 'cat/../../a.jpg', '/etc/a.jpg', '..\\a.jpg', 'a\\..\\a'],
)
def test_file_name_outside_the_data_root(tmp_path, file_name):
    path = write(tmp_path / 'a.json', images=[dict(IMAGE, file_name=file_name)])
    with pytest.raises(AnnotationFormatError, match='image 1 points outside the data'):
        read_annotation_file(path)


def test_dots_inside_a_file_name_are_fine(tmp_path):
    image = dict(IMAGE, file_name='cat..1/a..b.jpg')
    coco = read_annotation_file(write(tmp_path / 'a.json', images=[image]))
    assert coco.imgs[1]['file_name'] == 'cat..1/a..b.jpg'
