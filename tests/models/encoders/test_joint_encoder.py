"""Query and keypoints look at each other, and at nothing that is masked."""

from __future__ import annotations

import pytest
import torch
from tiny_cape import LOW_DTYPES, fill_zero_weights

from cape_mm.models.encoders import JointEncoder


@pytest.fixture
def encoder():
    layer = JointEncoder(16, num_layers=2, num_heads=2).double()
    fill_zero_weights(layer)
    return layer


@pytest.fixture
def inputs(rng):
    """2 queries, maps of 6 x 8 and 3 x 4 cells, 5 keypoints, one unknown."""
    is_known = torch.ones(2, 5, dtype=torch.bool)
    is_known[1, 3] = False
    return dict(
        fine_map=torch.randn(2, 16, 6, 8, generator=rng).double(),
        coarse_map=torch.randn(2, 16, 3, 4, generator=rng).double(),
        keypoint_tokens=torch.randn(2, 5, 16, generator=rng).double(),
        is_known=is_known,
    )


def test_unknown_keypoints_are_never_looked_at(encoder, inputs):
    tokens = inputs['keypoint_tokens'].clone()
    tokens[1, 3] = 1e6
    known = inputs['is_known']
    changed, expected = (
        encoder(**(inputs | dict(keypoint_tokens=tokens))),
        encoder(**inputs),
    )
    assert torch.equal(changed[0], expected[0])
    assert torch.equal(changed[1][known], expected[1][known])
    assert torch.equal(changed[2], expected[2])


def test_rows_of_tokens_are_rows_of_the_map(encoder, inputs):
    """The token of cell (x, y) is number y * W + x: found by its own residual."""
    coarse = inputs['coarse_map'].clone()
    coarse[0, :, 1, 2] += torch.randn(16).double() * 20
    query, _, _ = encoder(**(inputs | dict(coarse_map=coarse)))
    change = (query - encoder(**inputs)[0]).abs().sum(dim=-1)[0]
    assert change.argmax().item() == 1 * 4 + 2


@pytest.mark.parametrize('dtype', LOW_DTYPES)
def test_a_query_without_any_known_keypoint_stays_finite(encoder, inputs, dtype):
    cast = {key: inputs[key].to(dtype) for key in inputs if key != 'is_known'}
    cast['is_known'] = torch.zeros_like(inputs['is_known'])
    for part in encoder.to(dtype)(**cast):
        assert torch.isfinite(part).all()
