"""Where files lie, and which of them belong to one split."""

import json
from pathlib import Path

import pytest

from cape_mm.data_tools.checking.files import (
    find_annotation_files,
    find_image_folder,
    find_overlaps,
    role_of,
)
from cape_mm.errors import MissingDataError


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


def test_files_of_one_split_share_their_key():
    def key(name):
        return role_of(Path(name))[1]

    assert key('a/mp100_split1_train_partial.json') == key('a/mp100_split1_test.json')
    assert key('a/mp100_split1_train.json') != key('a/mp100_split2_train.json')
    assert key('a/train_split1.json') != key('a/test_split2.json')
    assert key('a/train.json') != key('b/test.json')


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


def test_real_splits_are_disjoint(mp100_annotations):
    files = []
    for path in sorted(mp100_annotations.glob('mp100_split*.json')):
        content = json.loads(path.read_text())
        files.append((path, {c['id']: c['name'] for c in content['categories']}))
    assert len(files) == 11
    assert find_overlaps(files) == []
