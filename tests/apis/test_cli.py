"""What a user sees: one line for a mistake, a traceback for a defect."""

from __future__ import annotations

import io
import os
import signal
import sys
import time

import pytest
from torch.utils.data import DataLoader, Dataset

from cape_mm.apis.cli import run_cli
from cape_mm.errors import ImageNotFoundError, MissingDataError


def fail(error):
    raise error


def test_success():
    assert run_cli(lambda: None) == 0


def test_own_errors_become_one_message(capsys):
    assert run_cli(lambda: fail(MissingDataError('no data here'))) == 2
    assert capsys.readouterr().err == 'error: no data here\n'


def test_defects_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        run_cli(lambda: 1 / 0)


class BrokenDataset(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        try:
            raise KeyError(index)
        except KeyError as error:
            raise ImageNotFoundError('images/a.jpg: not found.\nRestore it.') from error


def test_error_of_a_worker_loses_the_worker_traceback(capsys):
    loader = DataLoader(BrokenDataset(), num_workers=1)
    assert run_cli(lambda: list(loader)) == 2
    assert capsys.readouterr().err == 'error: images/a.jpg: not found.\nRestore it.\n'


def test_rank_is_named(capsys, monkeypatch):
    monkeypatch.setenv('RANK', '3')
    run_cli(lambda: fail(MissingDataError('x')))
    assert capsys.readouterr().err == 'error (rank 3): x\n'


def wait_for(number):
    os.kill(os.getpid(), number)
    time.sleep(5)


def swallow(number):
    try:
        wait_for(number)
    except BaseException as error:
        raise SyntaxError('no config') from error


@pytest.fixture
def child_handler():
    """Puts back what a signal takes away: that a worker's death is an error."""
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize('work', [wait_for, swallow])
@pytest.mark.parametrize(
    ('number', 'code', 'word'),
    [
        (signal.SIGINT, 130, 'interrupted'),
        (signal.SIGTERM, 143, 'terminated'),
        (signal.SIGHUP, 129, 'terminated'),
    ],
)
def test_signal_becomes_a_message(
    capsys, monkeypatch, child_handler, work, number, code, word
):
    monkeypatch.delenv('RANK', raising=False)
    before = signal.getsignal(number)
    assert run_cli(lambda: work(number), 'Saved.') == code
    assert capsys.readouterr().err == f'\n{word}. Saved.\n'
    assert signal.getsignal(number) == before


def test_workers_that_the_same_signal_ends_are_no_errors(child_handler, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)

    def fail(*arguments):
        raise RuntimeError('DataLoader worker is killed by signal: Terminated.')

    signal.signal(signal.SIGCHLD, fail)
    assert run_cli(lambda: wait_for(signal.SIGTERM)) == 143
    os.kill(os.getpid(), signal.SIGCHLD)  # as Python ends


def test_what_is_ignored_stays_ignored(monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert run_cli(lambda: os.kill(os.getpid(), signal.SIGHUP)) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize('text', ['x' * 1_000_000, 'x'], ids=['at once', 'at the end'])
def test_nobody_reads_the_output_any_more(monkeypatch, capsys, text):
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, 'w')
    monkeypatch.setattr(sys, 'stdout', stream)
    assert run_cli(lambda: print(text)) == 128 + signal.SIGPIPE
    stream.close()  # as Python does in the end
    assert 'Traceback' not in capsys.readouterr().err


def test_terminal_that_lacks_letters(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding='ascii')
    monkeypatch.setattr(sys, 'stdout', stream)
    assert run_cli(lambda: print('鼻 nose \ud800')) == 0
    assert stream.buffer.getvalue() == b'\\u9f3b nose \\ud800\n'


@pytest.mark.parametrize('name', ['file/below', '.', 'n' * 300])
def test_a_path_that_can_not_be_used_is_named(tmp_path, capsys, name):
    (tmp_path / 'file').touch()
    assert run_cli(lambda: (tmp_path / name).write_text('')) == 2
    message = capsys.readouterr().err
    assert message.startswith(f'error: {tmp_path / name}: ')
    assert len(message.splitlines()) == 1


def test_launched_process_is_left_alone(monkeypatch):
    monkeypatch.setenv('RANK', '1')
    found = []
    assert run_cli(lambda: found.append(signal.getsignal(signal.SIGTERM))) == 0
    assert found == [signal.SIG_DFL]


def test_forked_child_ends_at_once():
    def fork():
        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
        time.sleep(0.05)
        os.kill(child, signal.SIGTERM)
        codes.append(os.waitpid(child, 0)[1])

    codes = []
    assert run_cli(fork) == 0
    assert os.WTERMSIG(codes[0]) == signal.SIGTERM


def test_forked_child_does_not_print_that_its_parent_is_gone(capfd, monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    # PyTorch may have put its own there
    monkeypatch.setattr(sys, 'excepthook', sys.__excepthook__)

    def report(*errors):  # as the thread does that hands over a worker's tensors
        for error in errors:
            sys.excepthook(type(error), error, None)

    def fork():
        child = os.fork()
        if not child:
            report(ConnectionResetError('peer'), EOFError('gone'), ValueError('own'))
            os._exit(0)
        os.waitpid(child, 0)
        report(ConnectionResetError('here'))

    before = sys.excepthook
    assert run_cli(fork) == 0
    assert sys.excepthook is before
    lines = capfd.readouterr().err.splitlines()
    assert lines == ['ValueError: own', 'ConnectionResetError: here']
