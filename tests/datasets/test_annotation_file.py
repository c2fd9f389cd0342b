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
    with pytest.raises(AnnotationFormatError, match=r'a\.json.*this one is a list'):
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
