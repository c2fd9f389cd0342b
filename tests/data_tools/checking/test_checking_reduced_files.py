"""Reduced files: never over the originals, whole or not at all."""

import errno
import json
import os
import shutil

import pytest

from cape_mm.data_tools.checking import check_dataset, write_available
from cape_mm.datasets.annotation_file import read_annotation_file
from cape_mm.errors import ConfigError

FEW = dict(num_shots=1, num_queries=2)


@pytest.fixture
def tree(coco_tree):
    """Category 1: 1-based, 5 images; 2: 3 images; 3: an edge out of range."""
    coco_tree.fill(1, num_images=5, skeleton=[[1, 2], [2, 4], [4, 2]])
    coco_tree.fill(2, num_images=3)
    coco_tree.fill(3, num_images=3, skeleton=[[0, 1], [1, 7]])
    coco_tree.content['info'] = dict(year=2022)
    return coco_tree


def files_in(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_available_are_exactly_those_with_an_image(tree, tmp_path):
    for image_id in (2, 6):
        tree.image_path(image_id).unlink()
    tree.content['categories'][2]['skeleton'] = []
    path = tree.write()
    before = path.read_bytes()
    report = check_dataset(path, **FEW)
    written = write_available(report, tmp_path / 'out')
    assert written == {path: tmp_path / 'out/data.json'}
    assert path.read_bytes() == before
    content = json.loads(written[path].read_text())
    # category 2 has two instances left: too few for 1 + 2
    assert [c['id'] for c in content['categories']] == [1, 3]
    assert [a['id'] for a in content['annotations']] == [100, 102, 103, 104] + [
        *(108, 109, 110)
    ]
    assert [i['id'] for i in content['images']] == [1, 3, 4, 5, 9, 10, 11]
    assert content['annotations'] == [
        ann
        for ann in tree.content['annotations']
        if ann['id'] not in (101, *range(105, 108))
    ]
    again = check_dataset(written[path], tree.image_folder, **FEW)
    assert again.exit_code == 0
    read_annotation_file(written[path])


def test_an_original_is_never_replaced(tree):
    path = tree.write()
    report = check_dataset(path, **FEW)
    before = files_in(tree.root)
    for out in (tree.root, tree.root / 'images/..', os.path.relpath(tree.root)):
        with pytest.raises(ConfigError, match=r'data\.json exists and was not written'):
            write_available(report, out)
    (tree.root / 'linked').symlink_to(tree.root, target_is_directory=True)
    with pytest.raises(ConfigError, match='left alone'):
        write_available(report, tree.root / 'linked')
    assert files_in(tree.root) == before


def test_our_own_files_are_replaced(tree, tmp_path):
    report = check_dataset(tree.write(), **FEW)
    out = tmp_path / 'out'
    assert write_available(report, out) == write_available(report, out)


def test_nothing_left(tree, tmp_path):
    shutil.rmtree(tree.image_folder)
    report = check_dataset(tree.write(), **FEW)
    with pytest.raises(ConfigError, match='nothing would be left'):
        write_available(report, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_two_files_of_one_name(tree, tmp_path):
    first = tree.write()
    second = tree.root / 'more/data.json'
    second.parent.mkdir()
    shutil.copyfile(first, second)
    report = check_dataset([first, second], tree.image_folder, **FEW)
    with pytest.raises(ConfigError, match='two annotation files have the same name'):
        write_available(report, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS])
def test_full_disk_and_read_only_folder_leave_nothing(
    tree, tmp_path, monkeypatch, number
):
    report = check_dataset(tree.write(), **FEW)
    out = tmp_path / 'out'
    out.mkdir()

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr('os.replace', fail)
    message = f'{os.strerror(number)}. The originals are untouched'
    with pytest.raises(ConfigError, match=message):
        write_available(report, out)
    monkeypatch.undo()
    assert files_in(out) == {}
    assert list(files_in(tree.root)) == ['data.json']
