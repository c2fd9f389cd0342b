"""Files that are complete or not there."""

import os

import pytest

from cape_mm.utils.atomic_write import (
    remove_partial_files,
    write_bytes_atomically,
    write_text_atomically,
)


def test_write_and_replace(tmp_path):
    path = write_text_atomically(tmp_path / 'new/folder/a.txt', 'one ä\n')
    assert path.read_text(encoding='utf-8') == 'one ä\n'
    write_text_atomically(str(path), 'two')
    assert path.read_text() == 'two'
    assert os.listdir(path.parent) == ['a.txt']
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize('step', ['fdopen', 'replace'])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    path = write_text_atomically(tmp_path / 'a.txt', 'old')

    def fail(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match='No space left'):
        write_text_atomically(path, 'new')
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


def test_bytes_reach_the_disk_before_the_name_does(tmp_path, monkeypatch):
    order, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda h: (order.append('sync'), fsync(h)))
    monkeypatch.setattr(os, 'replace', lambda *a: (order.append('name'), replace(*a)))
    path = write_bytes_atomically(tmp_path / 'a.pth', b'\0\1')
    assert path.read_bytes() == b'\0\1'
    assert order == ['sync', 'name', 'sync']  # the file, then its folder
    write_text_atomically(path, 'x')
    assert order[3:] == ['name']


def test_what_a_killed_process_left_is_removed(tmp_path):
    for name in ('.a_1.pth.x1y2.partial', '.a.txt.z.partial', 'a_1.pth', '.a_1.pth'):
        (tmp_path / name).touch()
    removed = remove_partial_files(tmp_path, 'a_*.pth')
    assert [path.name for path in removed] == ['.a_1.pth.x1y2.partial']
    assert sorted(os.listdir(tmp_path)) == ['.a.txt.z.partial', '.a_1.pth', 'a_1.pth']
