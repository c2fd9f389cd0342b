"""Text files that are complete or not there."""

import os

import pytest

from cape_mm.atomic_write import write_text_atomically


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
