"""Two processes over gloo train as one process would."""

from __future__ import annotations

import json

import pytest
import torch
from rank_runs import NUM_EPISODES

PER_EPOCH = NUM_EPISODES // 2
WINDOW_ENDS = [False, True, False, True, True]
"""Five iterations, two per update: the last window is shorter, and closed as well."""


@pytest.fixture(scope='session')
def default_steps(pair):
    """Notes of both processes on the tiny config as it is."""
    paths = [pair.folder / f'default/steps{rank}.json' for rank in (0, 1)]
    return [json.loads(path.read_text()) for path in paths]


def test_weights_are_identical_after_every_step(pair, default_steps):
    for steps in ([rank['exact'] for rank in pair.ranks], default_steps):
        first, second = ([step['weights'] for step in notes] for notes in steps)
        assert first == second
        assert len(set(first)) > 3


def test_gradients_are_reduced_once_per_window(pair):
    """Inside a window ``no_sync`` saves the all-reduce."""
    for rank in pair.ranks:
        counts = [step['num_reduced'] for step in rank['exact']]
        assert [count > 0 for count in counts] == WINDOW_ENDS * 2
        num_buckets = counts[PER_EPOCH + 1]  # the first pass may fill other buckets
        expected = [num_buckets * is_end for is_end in WINDOW_ENDS]
        assert counts[PER_EPOCH:] == expected


def test_an_update_happens_once_per_window(pair):
    for notes in (pair.alone, *(rank['exact'] for rank in pair.ranks)):
        weights = [step['weights'] for step in notes]
        changed = [a != b for a, b in zip(weights[:-1], weights[1:], strict=True)]
        assert changed == (WINDOW_ENDS * 2)[1:]


def test_the_same_effective_batch_gives_the_same_result(pair):
    """One process with twice the batch; clipping and the short window included."""
    scale = pair.alone_moved.norm()
    assert pair.alone_moved.dtype == torch.float64
    assert 1e-2 < scale < 6 * 0.5 * 1e-2  # at most updates x largest norm x rate
    for moved in pair.moved:
        assert (moved - pair.alone_moved).norm() / scale < 1e-5


def test_episodes_differ_and_their_union_is_the_single_process_epoch(pair):
    for epoch in (0, 1):
        shares = [
            [i for s in notes if s['epoch'] == epoch for i in s['episodes']]
            for notes in (*(rank['exact'] for rank in pair.ranks), pair.alone)
        ]
        assert not set(shares[0]) & set(shares[1])
        assert sorted(shares[0] + shares[1]) == sorted(shares[2])
        assert sorted(shares[2]) == list(range(NUM_EPISODES))


def test_the_models_own_chance_differs_by_rank_and_iteration(default_steps):
    seeds = {step['seed'] for notes in default_steps for step in notes}
    assert len(seeds) == sum(map(len, default_steps)) == 12


def test_no_parameter_of_the_default_config_is_unused(default_steps):
    """Both processes came through without ``find_unused_parameters``."""
    assert [len(notes) for notes in default_steps] == [6, 6]
    assert all(notes[-1]['num_reduced'] > 0 for notes in default_steps)


def test_a_batch_with_nothing_to_score_reduces_too(pair):
    first, second = (rank['blind_norms'] for rank in pair.ranks)
    assert first == second
    assert all(norm > 0 for norm in first)


def test_only_rank_0_prints(pair):
    first, second = pair.outputs
    said = 'no GPU: 2 processes on the CPU, joined over gloo instead of nccl'
    assert first.count(said) == 1
    assert 'Training took' in first
    for text in (said, 'Training', 'INFO', 'checkpoints and logs', 'PCK'):
        assert text not in second


def test_only_rank_0_writes(pair):
    work = pair.folder / 'default/work'
    files = [path for path in work.rglob('*') if path.is_file()]
    assert sum(path.suffix == '.log' for path in files) == 1
    assert sum(path.name == 'scalars.json' for path in files) == 1
    assert (work / 'epoch_2.pth').is_file()
    assert '2 episodes x 2 accumulated x 2 processes = 8' in next(
        path.read_text() for path in files if path.suffix == '.log'
    )
