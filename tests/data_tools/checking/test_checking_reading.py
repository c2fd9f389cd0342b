"""A damaged annotation file is read to its end, and every defect is named."""

import json

import pytest

from cape_mm.data_tools.checking.files import read_leniently
from cape_mm.data_tools.checking.findings import REFUSED


@pytest.fixture
def tree(coco_tree):
    coco_tree.fill(1, num_images=4)
    return coco_tree


def only_text(content):
    (finding,) = content.findings
    assert finding.severity == REFUSED
    (text,) = finding.items
    return text


def test_sound_file_is_the_strict_readers(tree):
    content = read_leniently(tree.write())
    assert content.findings == []
    assert content.num_refused == {}
    assert list(content.coco.anns) == [100, 101, 102, 103]


@pytest.mark.parametrize('encoding', ['utf-16', 'latin-1'])
def test_wrong_encoding(tree, encoding):
    tree.content['categories'][0]['name'] = 'zèbre'
    path = tree.write()
    text = json.dumps(tree.content, ensure_ascii=False)
    path.write_bytes(text.encode(encoding))
    content = read_leniently(path)
    assert content.coco is None
    assert 'is not a JSON file' in only_text(content)


@pytest.mark.parametrize('text', ['[1]', '"a"', '3', '{"images": [], "shapes": []}'])
def test_json_of_another_kind(tmp_path, text):
    path = tmp_path / 'a.json'
    path.write_text(text)
    content = read_leniently(path)
    assert content.coco is None
    assert content.is_other_json
    assert str(path) in only_text(content)


def test_number_beyond_all_floats_costs_its_annotation_only(tree):
    tree.content['annotations'][1]['keypoints'][3] = 10**400
    content = read_leniently(tree.write())
    (text,) = [text for finding in content.findings for text in finding.items]
    assert text.startswith('annotations[1]: annotation 101: "keypoints" should be')
    assert list(content.coco.anns) == [100, 102, 103]


def test_every_defective_entry_is_named_and_the_others_stay(tree):
    images, annotations = tree.content['images'], tree.content['annotations']
    images[1]['id'] = '2'
    images.append({**images[0], 'file_name': 'cat1/other.jpg'})
    images.append(7)
    images.append(dict(id=50, file_name='../a.jpg', width=3, height=3))
    annotations[2]['keypoints'] = 'none'
    annotations[3]['category_id'] = '1'
    content = read_leniently(tree.write())
    texts = [text for finding in content.findings for text in finding.items]
    expected = [
        'images[1]: image \'2\': "id" should be a non-negative integer',
        'images[4]: image 1 is listed twice',
        'images[5]: every entry of "images" is an object, but one is of type int',
        'images[6]: image 50 points outside the data root',
        'annotations[2]: annotation 102: "keypoints" should be a flat list',
        'annotations[3]: annotation 103: "category_id" should be a non-neg',
    ]
    assert len(texts) == len(expected)
    for text, start in zip(texts, expected):
        assert text.startswith(start)
    assert content.num_refused == dict(images=4, annotations=2, categories=0)
    assert list(content.coco.imgs) == [1, 3, 4]
    assert list(content.coco.anns) == [100, 101]
    assert content.coco.imgs[1]['file_name'] == 'cat1/0001.jpg'  # the first one stays
