"""Annotation files: found in a data root, and read to the end when damaged."""

import json
from pathlib import Path

import pytest

from cape_mm.data_tools.checking.files import (
    find_annotation_files,
    find_image_folder,
    find_overlaps,
    read_leniently,
    role_of,
)
from cape_mm.data_tools.checking.findings import REFUSED
from cape_mm.errors import MissingDataError


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


def test_annotation_files_of_a_root(tmp_path):
    with pytest.raises(MissingDataError, match='no annotation file in .*themselves'):
        find_annotation_files(tmp_path)
    (tmp_path / 'b.json').touch()
    (tmp_path / 'a.json').touch()
    (tmp_path / '.c.json').touch()
    assert [p.name for p in find_annotation_files(tmp_path)] == ['a.json', 'b.json']
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/z.json').touch()
    assert [p.name for p in find_annotation_files(str(tmp_path))] == ['z.json']


@pytest.mark.parametrize('inside', ['', 'annotations'])
def test_image_folder_of_both_layouts(tmp_path, inside):
    ann_file = tmp_path / inside / 'a.json'
    assert find_image_folder(ann_file) == str(tmp_path)
    (tmp_path / 'images').mkdir()
    assert find_image_folder(ann_file) == str(tmp_path / 'images')


@pytest.mark.parametrize(
    'name, role',
    [
        ('mp100_split1_train.json', 'train'),
        ('mp100_split1_train_partial.json', 'train'),
        ('val.json', 'val'),
        ('person_keypoints_val2017.json', 'val'),
        ('split3-test.json', 'test'),
        ('training.json', None),
        ('latest.json', None),
        ('interval_2.json', None),
    ],
)
def test_role(name, role):
    found = role_of(Path(name))
    assert (found and found[0]) == role


def test_overlaps():
    files = [
        (Path('s1_train.json'), {1: 'cat', 2: 'dog', 3: 'cow'}),
        (Path('s1_val.json'), {4: 'hen'}),
        (Path('s1_test.json'), {2: 'dog', 3: 'cow', 5: 'pig'}),
        (Path('s1_test_b.json'), {5: 'pig'}),  # test beside test is none
        (Path('s2_test.json'), {1: 'cat'}),  # another split
        (Path('other.json'), {1: 'cat'}),
    ]
    assert find_overlaps(files) == [
        's1_train.json and s1_test.json share 2 dog, 3 cow',
    ]
