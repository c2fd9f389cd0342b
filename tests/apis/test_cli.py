"""What a user sees: one line for a mistake, a traceback for a defect."""

from __future__ import annotations

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


def test_interrupt_names_resume(capsys):
    assert run_cli(lambda: fail(KeyboardInterrupt()), interrupt_hint='--resume') == 130
    assert capsys.readouterr().err == '\ninterrupted. --resume\n'


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
