"""robustness.py as a user calls it: on generated data, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.runner import Runner
from tool_calls import FAST, TINY

from cape_mm.apis import parse_cfg_options
from cape_mm.apis import test as run_test

FEW = ('no_skeleton', 'rotation')
SAME_FIGURES = ('PCK@0.2', 'clean', 'num_pairs')


@pytest.fixture
def arguments(checkpoint, synthetic_root, tmp_path) -> list:
    """Of every call; options of the config come last."""
    head = ['robustness', TINY, checkpoint, '--out', tmp_path / 'out']
    return [*head, *FAST, f'data_root={synthetic_root}']


def read_result(tmp_path: Path) -> dict:
    return json.loads((tmp_path / 'out/robustness.json').read_text())


def with_options(arguments: list, *options: str) -> list:
    """The call with further options of the tool."""
    return [*arguments[:5], *options, *arguments[5:]]


def test_table_and_figures(call, arguments, tmp_path, monkeypatch):
    built = []
    build = Runner.build_model
    monkeypatch.setattr(Runner, 'build_model', lambda *a: built.append(1) or build(*a))
    outcome = call(*with_options(arguments, '--only', *FEW))
    assert outcome.code == 0, outcome.err
    assert len(built) == 1
    result = read_result(tmp_path)
    rows = result['perturbations']
    assert [(row['name'], row['value']) for row in rows] == [
        ('no_skeleton', None),
        *(('rotation', angle) for angle in (30, 60, 90, 120, 150, 180)),
    ]
    for row in rows:
        assert row['label'] in outcome.out


def test_the_clean_run_is_the_test_and_its_floor(
    call, arguments, checkpoint, synthetic_root, tmp_path
):
    outcome = call(*with_options(arguments, '--only', 'no_skeleton'))
    assert outcome.code == 0, outcome.err
    clean = read_result(tmp_path)['clean']
    options = parse_cfg_options([*FAST[1:], f'data_root={synthetic_root}'])
    metrics = run_test(TINY, checkpoint, tmp_path / 'test', options)
    for key in ('PCK@0.2', 'copy_support/PCK@0.2', 'num_pairs', 'num_categories'):
        assert clean[key] == pytest.approx(metrics[key], abs=1e-9), key


def test_the_plain_loop_gives_the_same_figures(call, arguments, tmp_path):
    few = ('--only', 'rotation', 'blur', '--episodes-per-category', '1')
    results = []
    for options in ((), ('test_cfg.type=TestLoop',)):
        outcome = call(*with_options(arguments, *few), *options)
        assert outcome.code == 0, outcome.err
        results.append(read_result(tmp_path))
    assert results[0]['clean']['num_episodes'] == 2
    for one, other in zip(*(result['perturbations'] for result in results)):
        for key in SAME_FIGURES:
            assert one[key] == pytest.approx(other[key], abs=1e-6), one['label']
