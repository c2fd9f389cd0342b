"""Four micro-batches of two episodes give the gradient of one batch of eight.

Which averaging, and why: the losses are means over the scored keypoints of each
support-query pair, then over the pairs (``mean_over_pairs``). The divisor of the outer
mean is the number of pairs, which is the same in every micro-batch, so the mean of the
micro-batches' losses *is* the loss of the big batch, however many keypoints each query
shows. A mean over all visible keypoints of a batch would weigh a keypoint by what else
is in its batch: with unequal counts accumulation would then be wrong, as
``test_mean_over_keypoints_would_not_accumulate`` shows. The choice also is the metric's
own weighting: PCK is a mean over keypoints per pair, then over pairs.

Chance is off (dropout, prefix mix, order of decoding) and BatchNorm's statistics are
frozen; the windows of an epoch are tested beside ``AccumulationWindowHook``.
"""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper
from tiny_cape import PLAIN_PREFIX, build_cape, compute_loss, make_episode
from torch.nn.utils import clip_grad_norm_

from cape_mm.datasets import collate_episodes

COUNTS = 4
PARTS = (
    'backbone',
    'neck',
    'keypoint_tokens',
    'pose_graph_encoder',
    'joint_encoder',
    'head',
)
TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-4}
"""Relative; points are read from heat maps in float32 in either case."""


def make_model(norm='frozen_bn', dtype=torch.float64):
    head = dict(prefix_mix=PLAIN_PREFIX, random_order_prob=0.0, dropout=0.0)
    return build_cape(norm, dtype=dtype, head=head).train()


def equal_episodes():
    """Eight episodes in which everything is visible."""
    return [make_episode(seed) for seed in range(8)]


def unequal_episodes():
    """Eight episodes that differ in K, and show from all keypoints down to none."""
    episodes = []
    for seed in range(8):
        size = (5, 7, 6)[seed % 3]
        hidden = [(0, k) for k in range(seed % 5)] + [
            (1, k) for k in range(seed * 2 % 8)
        ]
        hidden = tuple(pair for pair in hidden if pair[1] < size)
        support_hidden = ((0, seed % size),) if seed % 2 else ()
        episodes.append(
            make_episode(seed, size, query_hidden=hidden, support_hidden=support_hidden)
        )
    return episodes


EPISODES = {'equal': equal_episodes, 'unequal': unequal_episodes}
with_all_counts = pytest.mark.parametrize('counts', EPISODES)


def read_gradient(model):
    """Flat gradient of every part of the model."""
    return {
        name: torch.cat(
            [p.grad.flatten() for p in model.get_submodule(name).parameters()]
        )
        for name in PARTS
    }


def big_batch(model, episodes):
    """Gradient of one batch of all episodes."""
    model.zero_grad()
    compute_loss(model, episodes).backward()
    return read_gradient(model)


def accumulated(model, episodes, clip_grad=None):
    """Gradients that the optimizer steps on, in micro-batches of two episodes."""
    model.zero_grad()
    optimizer, steps = torch.optim.SGD(model.parameters(), lr=0.0), []
    optimizer.register_step_pre_hook(lambda *_: steps.append(read_gradient(model)))
    wrapper = OptimWrapper(optimizer, accumulative_counts=COUNTS, clip_grad=clip_grad)
    wrapper.initialize_count_status(model, 0, COUNTS)
    for start in range(0, len(episodes), 2):
        model.train_step(collate_episodes(episodes[start : start + 2]), wrapper)
    (gradient,) = steps
    return gradient


def relative_error(actual, expected):
    """Largest over the parts of the model."""
    return max(
        ((actual[name] - expected[name]).norm() / expected[name].norm()).item()
        for name in expected
    )


@pytest.mark.parametrize('norm', ['frozen_bn', 'gn'])
@pytest.mark.parametrize('dtype', TOLERANCE)
@with_all_counts
def test_micro_batches_give_the_big_batchs_gradient(counts, dtype, norm):
    model, episodes = make_model(norm, dtype), EPISODES[counts]()
    expected = big_batch(model, episodes)
    assert all(part.norm() > 1e-3 for part in expected.values())
    error = relative_error(accumulated(model, episodes), expected)
    assert error < TOLERANCE[dtype]


def test_visible_counts_are_unequal_between_micro_batches():
    """The case above is the hard one."""
    episodes = unequal_episodes()
    visible = [
        ep['data_samples'].gt_instances.is_visible.sum().item() for ep in episodes
    ]
    micro = [sum(visible[start : start + 2]) for start in range(0, 8, 2)]
    assert len(set(micro)) == 4
    shown = torch.cat(
        [ep['data_samples'].gt_instances.is_visible.any(dim=1) for ep in episodes]
    )
    assert shown.any() and not shown.all()


def test_mean_over_keypoints_would_not_accumulate(monkeypatch):
    """The averaging that was not chosen: right with equal counts, wrong otherwise."""

    def mean_over_keypoints(values, is_scored):
        return values[is_scored].mean()

    module = 'cape_mm.models.losses.keypoint_losses.mean_over_pairs'
    monkeypatch.setattr(module, mean_over_keypoints)
    model, errors = make_model(), {}
    for counts, make_episodes in EPISODES.items():
        expected = big_batch(model, make_episodes())
        errors[counts] = relative_error(accumulated(model, make_episodes()), expected)
    assert errors['equal'] < 1e-5
    assert errors['unequal'] > 1e-2


def test_batch_statistics_would_not_accumulate():
    """Why ``norm_eval=True``: a batch of four images has other statistics."""
    model = make_model()
    model.backbone.norm_eval = False
    model.train()
    expected = big_batch(model, equal_episodes())
    assert relative_error(accumulated(model, equal_episodes()), expected) > 1e-2


@with_all_counts
def test_clipping_sees_the_accumulated_gradient(counts):
    """Clipping every micro-batch would give another direction and a smaller step."""
    model, episodes = make_model(), EPISODES[counts]()
    big_batch(model, episodes)
    norm = clip_grad_norm_(model.parameters(), float('inf'))
    max_norm = norm.item() / 3
    clip_grad_norm_(model.parameters(), max_norm)
    expected = read_gradient(model)
    clipped = accumulated(model, episodes, clip_grad=dict(max_norm=max_norm))
    assert relative_error(clipped, expected) < 1e-5
    total = torch.cat(list(clipped.values())).norm().item()
    assert total == pytest.approx(max_norm, rel=1e-4)
