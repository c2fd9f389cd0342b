"""One training at a time in a work directory."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cape_mm.apis import train, work_dir_lock
from cape_mm.apis.work_dir_lock import LOCK_NAME, locked_work_dir
from cape_mm.errors import WorkDirInUseError

# a process that holds the lock and has a child, like a data loader's worker
HOLDER = """
import fcntl, os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.lockf(handle, fcntl.LOCK_EX)
os.write(handle, b'process 7 on another')
if os.fork() == 0:
    time.sleep(20)
print('held', flush=True)
time.sleep(20)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that is training in ``tmp_path``."""
    command = [sys.executable, '-c', HOLDER, str(tmp_path / LOCK_NAME)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == 'held\n'
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_second_run_is_refused_until_the_first_is_killed(holder, tmp_path, toy_config):
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(WorkDirInUseError, match=r'\(process 7 on another\).*work_dir'):
        train(toy_config, tmp_path)
    assert sorted(os.listdir(tmp_path)) == before
    holder.kill()  # its child lives on
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with locked_work_dir(tmp_path):
                return
        except WorkDirInUseError:
            time.sleep(0.01)
    pytest.fail('the lock of a killed process was not released')


def test_lock_names_its_holder_and_ends(tmp_path):
    for _ in range(2):
        with locked_work_dir(tmp_path / 'new'):
            text = (tmp_path / 'new' / LOCK_NAME).read_bytes()
            assert text.startswith(f'process {os.getpid()} on '.encode())


def test_only_the_first_process_of_a_launch_locks(holder, tmp_path, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    with locked_work_dir(tmp_path, 'pytorch'):
        pass
    with pytest.raises(WorkDirInUseError), locked_work_dir(tmp_path, 'none'):
        pass
    monkeypatch.setenv('RANK', '0')
    with pytest.raises(WorkDirInUseError), locked_work_dir(tmp_path, 'pytorch'):
        pass


def test_file_system_without_locks_is_said_and_no_error(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, 'No locks available')

    logged = []
    monkeypatch.setattr(work_dir_lock.fcntl, 'lockf', refuse)
    monkeypatch.setattr(
        work_dir_lock, 'print_log', lambda message, *args, **kw: logged.append(message)
    )
    with locked_work_dir(tmp_path):
        assert Path(tmp_path / LOCK_NAME).is_file()
    assert 'No locks available' in logged[0]


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    target = tmp_path / 'precious'
    target.write_text('data')
    (tmp_path / LOCK_NAME).symlink_to(target)
    with pytest.raises(OSError), locked_work_dir(tmp_path):
        pass
    assert target.read_text() == 'data'
