"""Files that are complete or not there."""

import os

import pytest

from cape_mm.errors import ConfigError
from cape_mm.utils.atomic_write import (
    remove_partial_files,
    replacing,
    try_file,
    try_folder,
    write_bytes_atomically,
    write_text_atomically,
)


def test_write_and_replace(tmp_path):
    path = write_text_atomically(tmp_path / 'new/folder/a.txt', 'one ä\n')
    assert path.read_text(encoding='utf-8') == 'one ä\n'
    write_text_atomically(str(path), 'two')
    assert path.read_text() == 'two'
    assert os.listdir(path.parent) == ['a.txt']


@pytest.mark.parametrize('umask', [0o077, 0o022])
def test_the_umask_holds(tmp_path, umask):
    before = os.umask(umask)
    try:
        path = write_text_atomically(tmp_path / 'a.txt', 'x')
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize('length', [5, 250])
def test_folders_and_long_names(tmp_path, length):
    path = tmp_path / ('ä' * (length // 2))
    with replacing(path) as folder:
        folder.mkdir()
        (folder / 'file').touch()
        assert not path.exists()
    assert os.listdir(path) == ['file']
    assert os.listdir(tmp_path) == [path.name]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_text_atomically(tmp_path / 'a.txt', 'old')

    def fail(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='No space left'):
        write_text_atomically(path, 'new')
    with pytest.raises(KeyError), replacing(path) as partial:
        partial.touch()
        raise KeyError
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
    for name in ('.a_1.pth.x1y2.partial', '.a.txt.z.partial'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'half').touch()
    for name in ('a_1.pth', '.a_1.pth'):
        (tmp_path / name).touch()
    removed = remove_partial_files(tmp_path, 'a_*.pth')
    assert [path.name for path in removed] == ['.a_1.pth.x1y2.partial']
    assert sorted(os.listdir(tmp_path)) == ['.a.txt.z.partial', '.a_1.pth', 'a_1.pth']


@pytest.mark.parametrize('path', ['a/new/file.json', 'file', '.'])
def test_places_that_can_be_written_to_are_known_before(tmp_path, path, monkeypatch):
    (tmp_path / 'file').touch()
    monkeypatch.chdir(tmp_path)
    try_folder(tmp_path / 'folder')
    if path == '.':
        with pytest.raises(ConfigError, match=r'--out \.: this is a folder'):
            try_file(path, '--out')
    else:
        try_file(path, '--out')
    with pytest.raises(ConfigError, match='--dump file/x: no file can be'):
        try_file('file/x/y.json', '--dump')
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        'file'
    ]


def test_a_link_is_replaced_or_left_alone_never_followed(tmp_path):
    (tmp_path / 'kept').mkdir()
    target = tmp_path / 'kept' / 'file'
    target.write_text('data')
    (tmp_path / 'link').symlink_to(target)
    (tmp_path / '.a.pth.x.partial').symlink_to(target.parent)
    write_text_atomically(tmp_path / 'link', 'new')
    assert remove_partial_files(tmp_path, '*.pth') == []
    assert target.read_text() == 'data'
