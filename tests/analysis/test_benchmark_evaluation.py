"""The whole test beside the plain loop, from the command line."""

from __future__ import annotations

import json

import pytest
from tool_calls import FAST, TINY, ToolCaller

from cape_mm.analysis.benchmark.evaluation import choose_pairs
from cape_mm.structures import Episode


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs the tool in this process."""
    return ToolCaller(monkeypatch, capfd)


def test_pairs_are_spread_evenly():
    episodes = [Episode(1, (9,), (1, 2, 3), index=i) for i in (4, 5)]
    assert choose_pairs(episodes, 3) == [(4, 0), (4, 2), (5, 1)]
    assert len(set(choose_pairs(episodes, 100))) == 6


def test_both_loops_give_the_same(call, synthetic_root):
    options = (*FAST, f'data_root={synthetic_root}')
    sizes = ('--plain-pairs', '5', '--device', 'cpu')
    result = call('benchmark', TINY, '--mode', 'evaluate', *sizes, *options)
    assert result.code == 0, result.err
    record = json.loads(result.out)
    assert record['bank']['num_pairs'] == 2 * 2 * 2  # categories, episodes, queries
    assert record['plain']['num_pairs'] == record['num_compared'] == 5
    assert record['largest_difference_px'] < 1e-3
    assert record['bank']['PCK@0.2'] == record['plain']['PCK@0.2']
    quotient = record['plain']['ms_per_pair'] / record['bank']['ms_per_pair']
    assert record['plain_over_bank'] == pytest.approx(quotient)
    assert 'plain over bank, time per pair' in result.err


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('--loader',), '--loader makes no sense with --mode evaluate'),
        (('--plain-pairs', '1'), '--plain-pairs must be at least 2'),
    ],
)
def test_what_can_not_be_measured(call, arguments, message):
    result = call('benchmark', TINY, '--mode', 'evaluate', *arguments)
    assert message in result.message


def test_needs_the_loop_and_one_config(call, synthetic_root):
    options = (*FAST, f'data_root={synthetic_root}', 'test_cfg.type=TestLoop')
    call_it = ('benchmark', TINY, '--mode', 'evaluate', '--device', 'cpu')
    assert "test_cfg=dict(type='EpisodeTestLoop')" in call(*call_it, *options).message
    both = ('benchmark', '--compare', TINY, TINY, '--mode', 'evaluate')
    assert '--compare takes --mode train or predict' in call(*both).message
