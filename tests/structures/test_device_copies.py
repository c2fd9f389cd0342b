"""Copies that nobody waits for."""

from __future__ import annotations

import pytest
import torch

from cape_mm.structures.device_copies import copy_without_waiting


def test_on_a_cpu_nothing_is_copied():
    tensor = torch.arange(3)
    assert copy_without_waiting(tensor, torch.device('cpu')) is tensor


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_to_a_gpu_and_on_it():
    tensor = torch.arange(3)
    there = copy_without_waiting(tensor, torch.device('cuda'))
    assert there.tolist() == [0, 1, 2]
    assert copy_without_waiting(there, there.device) is there
