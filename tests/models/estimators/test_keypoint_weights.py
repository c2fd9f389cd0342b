"""Keypoints that count less in the loss: virtual ones, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from tiny_cape import make_episode, prepare

NUM_REAL, NUM_VIRTUAL = 3, 2


def weighted(weight, num_queries=1, **kwargs):
    """An episode of 5 keypoints, the last two of them virtual."""
    item = make_episode(1, 5, 1, num_queries, **kwargs)
    weights = [1.0] * NUM_REAL + [weight] * NUM_VIRTUAL
    item['data_samples'].set_metainfo(dict(keypoint_weights=weights))
    return item


def losses_of(cape, items):
    torch.manual_seed(3)  # decoding order and prefix
    with torch.no_grad():
        return cape(**prepare(cape.train(), items), mode='loss')


def test_weight_one_is_no_weight(cape):
    plain = losses_of(cape, [make_episode(1, 5, 1, 1)])
    for key, value in losses_of(cape, [weighted(1.0)]).items():
        torch.testing.assert_close(value, plain[key], msg=key)


def test_every_loss_is_the_weighted_mean(cape):
    """(n + w m) L(w) = A + w B, for some A and B: a straight line in w."""
    losses = {w: losses_of(cape, [weighted(w)]) for w in (0.25, 0.5, 1.0)}
    line = {
        weight: {
            key: (NUM_REAL + weight * NUM_VIRTUAL) * value
            for key, value in parts.items()
        }
        for weight, parts in losses.items()
    }
    assert len(line[1.0]) == 6
    for key in line[1.0]:
        low, half, full = (line[weight][key] for weight in (0.25, 0.5, 1.0))
        torch.testing.assert_close(full - half, 2 * (half - low), msg=key)
        # what is left at weight 0 and what the virtual ones add, both of them losses
        assert full - half > 0 and 2 * half - full > 0, key
        assert abs(losses[0.25][key] - losses[1.0][key]) > 1e-6, key


@pytest.mark.parametrize('hidden', [(3, 4), (0, 1, 2)])
def test_hidden_keypoints_stay_out_whatever_they_weigh(cape, hidden):
    """Losses of places: with one kind hidden, the other's weight cancels."""
    query_hidden = tuple((0, k) for k in hidden)
    half, full = (
        losses_of(cape, [weighted(w, query_hidden=query_hidden)]) for w in (0.5, 1.0)
    )
    for key in full:
        if key != 'loss_visibility':  # that is scored on all known keypoints
            torch.testing.assert_close(half[key], full[key], msg=key)
