"""From a checkpoint to its results, to their score, to a comparison, by the tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tool_calls import FAST, TINY, Outcome


@pytest.fixture
def run_test(call, checkpoint, synthetic_root):
    """Tests the weights; the work directory is that of the run."""

    def run(work_dir: Path, *arguments: str | Path) -> Outcome:
        return call(
            *('test', TINY, checkpoint, '--work-dir', work_dir, *arguments),
            *(*FAST, f'data_root={synthetic_root}'),
        )

    return run


def ann_file(root: Path) -> Path:
    return root / 'annotations/synthetic_split1_test.json'


def test_results_are_scored_as_the_run_was(call, run_test, synthetic_root, tmp_path):
    files = {}
    for name in 'ab':
        work_dir = tmp_path / name
        outcome = run_test(work_dir, '--dump', work_dir / 'preds.json')
        assert outcome.code == 0, outcome.err
        assert f'predictions: {work_dir / "preds.json"}' in outcome.out
        assert f'results: {work_dir / "metrics.results.npz"}' in outcome.out
        files[name] = [
            (work_dir / part).read_bytes()
            for part in ('metrics.json', 'metrics.results.npz', 'preds.json')
        ]
    assert files['a'] == files['b']  # two runs of a checkpoint, to the last bit

    outcome = call('rescore', tmp_path / 'a', ann_file(synthetic_root))
    assert outcome.code == 0, outcome.err
    live = json.loads((tmp_path / 'a/metrics.json').read_text())
    again = json.loads((tmp_path / 'a/rescored.json').read_text())
    run, run_again = live.pop('run'), again.pop('run')
    assert {key: again[key] for key in live} == live
    assert {key: run_again[key] for key in run} == run  # with the hash of the episodes
    assert f'metrics: {tmp_path / "a/rescored.json"}' in outcome.out

    outcome = call('compare_results', tmp_path / 'b', tmp_path / 'a/rescored.json')
    assert outcome.code == 0, outcome.err
    assert 'categories won: A 0, B 0, equal 2' in outcome.out

    other = ann_file(synthetic_root).with_name('synthetic_split1_val.json')
    outcome = call('rescore', tmp_path / 'a', other, '--out', tmp_path / 'm.json')
    assert outcome.code == 2
    assert 'the predictions are of other data' in outcome.message
    assert not (tmp_path / 'm.json').exists()
