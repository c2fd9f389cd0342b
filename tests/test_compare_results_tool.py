"""tools/analysis_tools/compare_results.py as a user calls it."""

from __future__ import annotations

import json

import pytest
from pair_tables import random_table

from cape_mm.evaluation.result_file import write_results


@pytest.fixture
def runs(tmp_path):
    """Folders of two runs on the same episodes."""
    for seed, name in enumerate('ab'):
        table = random_table(seed)
        run = {'episodes_sha256': 'e' * 64}
        write_results(table, tmp_path / name / 'metrics.results.npz', run)
    return tmp_path / 'a', tmp_path / 'b'


def test_folders_are_compared(call, runs, tmp_path):
    outcome = call('compare_results', *runs, '--out', tmp_path / 'c.json')
    assert outcome.code == 0, outcome.err
    found = json.loads((tmp_path / 'c.json').read_text())
    assert found['num_pairs'] == 60
    assert f'A: {runs[0]}' in outcome.out
    assert '60 pairs, 1,000 resamples, seed 0' in outcome.out
    assert f'comparison: {tmp_path / "c.json"}' in outcome.out


def test_options(call, runs):
    outcome = call(
        *('compare_results', *runs, '--key', 'NME', '--num-resamples', '50'),
        *('--seed', '3', '--common-pairs'),
    )
    assert outcome.code == 0, outcome.err
    assert '60 pairs, 50 resamples, seed 3' in outcome.out
    assert 'NME [%]' in outcome.out


def test_a_run_without_pairs(call, runs, tmp_path):
    outcome = call('compare_results', runs[0], tmp_path / 'none')
    assert outcome.code == 2
    assert 'none.results.npz does not exist' in outcome.message
