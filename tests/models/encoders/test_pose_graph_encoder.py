"""The support pose graph: coordinates, neighbours, no keypoint index."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_cape import LOW_DTYPES, fill_zero_weights

from cape_mm.models.encoders import PoseGraphEncoder
from cape_mm.structures.skeleton import hop_distances


@pytest.fixture
def encoder():
    layer = PoseGraphEncoder(16, num_layers=2, num_heads=2).double()
    fill_zero_weights(layer)
    return layer


@pytest.fixture
def graph(rng):
    """2 episodes, 2 shots, 5 keypoints; keypoint 4 of episode 0 is in no shot."""
    hops = np.stack(
        [hop_distances([(0, 1), (1, 2), (3, 4)], 5), hop_distances([(0, 4)], 5)]
    )
    is_visible = torch.ones(2, 2, 5, dtype=torch.bool)
    is_visible[0, :, 4] = is_visible[1, 1, 0] = False
    return dict(
        tokens=torch.randn(2, 5, 16, generator=rng).double(),
        keypoints=torch.rand(2, 2, 5, 2, generator=rng).double(),
        is_visible=is_visible,
        hops=torch.from_numpy(hops),
    )


def test_unknown_keypoints_are_never_looked_at(encoder, graph):
    tokens, keypoints = graph['tokens'].clone(), graph['keypoints'].clone()
    tokens[0, 4], keypoints[0, :, 4] = 1e6, -50
    changed = encoder(tokens, keypoints, graph['is_visible'], graph['hops'])
    expected = encoder(**graph)
    assert torch.equal(changed[0, :4], expected[0, :4])
    assert torch.equal(changed[1], expected[1])
    assert not torch.equal(changed[0, 4], expected[0, 4])


def test_encodings_of_shots_are_averaged_not_coordinates(encoder, graph):
    """Two shots at p and q differ from two shots at their middle."""
    keypoints = graph['keypoints']
    middle = keypoints.mean(dim=1, keepdim=True).expand_as(keypoints)
    visible = torch.ones_like(graph['is_visible'])
    one = encoder(graph['tokens'], keypoints, visible, graph['hops'])
    other = encoder(graph['tokens'], middle, visible, graph['hops'])
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize('dtype', LOW_DTYPES)
def test_an_episode_without_any_known_keypoint_stays_finite(encoder, graph, dtype):
    output = encoder.to(dtype)(
        graph['tokens'].to(dtype),
        graph['keypoints'].to(dtype),
        torch.zeros_like(graph['is_visible']),
        graph['hops'],
    )
    assert output.dtype == dtype
    assert torch.isfinite(output).all()
