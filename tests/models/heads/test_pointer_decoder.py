"""The pointer decoder sees where others were put, and only the others it may see."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn

from cape_mm.models.heads.pointer_decoder import (
    Candidates,
    Emitted,
    Layout,
    PointerDecoder,
    find_candidates,
)

NUM, KEYPOINTS, PEAKS, SIDE = 2, 5, 4, 12


@pytest.fixture
def arguments(rng) -> dict:
    """What the decoder is asked of all keypoints at once."""

    def noise(*shape: int) -> Tensor:
        return torch.rand(NUM, KEYPOINTS, *shape, generator=rng)

    is_peak = noise(PEAKS) < 0.8
    is_peak[..., 0] = True
    layout = Layout.of(
        noise(2), torch.ones(NUM, KEYPOINTS, dtype=torch.bool), torch.tensor([0.3, 0.9])
    )
    return dict(
        asked=Candidates(noise(PEAKS, 2), noise(PEAKS), is_peak),
        expected=layout.points,
        emitted=Emitted(noise(2), noise()),
        layout=layout,
        is_seen=(noise(KEYPOINTS) < 0.5) & ~torch.eye(KEYPOINTS, dtype=torch.bool),
        hops=torch.randint(0, 8, (NUM, KEYPOINTS, KEYPOINTS), generator=rng),
    )


@pytest.fixture
def decoder() -> PointerDecoder:
    """A decoder that corrects something."""
    built = PointerDecoder(hidden_dims=8, num_heads=2)
    nn.init.normal_(built.correction[-1].weight)
    return built


def test_a_new_decoder_corrects_nothing(arguments):
    asked = arguments['asked']
    found = PointerDecoder()(**arguments)
    assert torch.equal(found[asked.is_peak], asked.logits[asked.is_peak])
    assert (found[~asked.is_peak] < -1e3).all()


def test_unseen_keypoints_have_no_influence(arguments, decoder):
    hidden = 2
    arguments['is_seen'][:, :, hidden] = False
    expected = decoder(**arguments)
    emitted, layout = arguments['emitted'], arguments['layout']
    changed = Emitted(emitted.points.clone(), emitted.scores.clone())
    changed.points[:, hidden], changed.scores[:, hidden] = 9, 0.123
    points = layout.points.clone()
    points[:, hidden] = -9
    hops = arguments['hops'].clone()
    hops[:, :, hidden] = 1
    arguments |= dict(emitted=changed, layout=replace(layout, points=points), hops=hops)
    torch.testing.assert_close(decoder(**arguments), expected)


def test_seen_keypoints_have_influence(arguments, decoder):
    arguments['is_seen'][:] = True
    expected = decoder(**arguments)
    emitted = arguments['emitted']
    arguments['emitted'] = replace(emitted, points=emitted.points + 0.2)
    assert (decoder(**arguments) - expected).abs().max() > 1e-3


def test_one_keypoint_alone_is_answered_as_among_all(arguments, decoder):
    expected = decoder(**arguments)
    for keypoint in range(KEYPOINTS):
        index = torch.full((NUM, 1), keypoint)
        alone = arguments | dict(
            asked=arguments['asked'].take(index),
            **{
                name: arguments[name][:, [keypoint]]
                for name in ('expected', 'is_seen', 'hops')
            },
        )
        torch.testing.assert_close(decoder(**alone), expected[:, [keypoint]])


def test_moving_and_scaling_all_changes_nothing(arguments, decoder):
    """Only relative positions count, in units of the layout's spread."""
    expected = decoder(**arguments)
    scale, shift = 0.5, torch.tensor([0.1, -0.2])
    asked, emitted = arguments['asked'], arguments['emitted']
    layout = arguments['layout']
    moved = arguments | dict(
        asked=replace(asked, points=asked.points * scale + shift),
        expected=arguments['expected'] * scale + shift,
        emitted=replace(emitted, points=emitted.points * scale + shift),
        layout=replace(
            layout, points=layout.points * scale + shift, scale=layout.scale * scale
        ),
    )
    torch.testing.assert_close(decoder(**moved), expected, atol=1e-4, rtol=1e-4)


def test_candidates_are_peaks_apart_from_each_other():
    logits = torch.zeros(1, 1, SIDE, SIDE)
    heights = {(1, 2): 5.0, (1, 4): 4.0, (6, 2): 3.0, (6, 5): 2.0}  # (row, column)
    for place, height in heights.items():
        logits[(0, 0, *place)] = height
    logits -= 0.01 * torch.arange(SIDE**2).view(SIDE, SIDE) / SIDE**2  # no draws
    found = find_candidates(logits.flatten(2), SIDE, PEAKS)
    centres = (torch.tensor([[2, 1], [2, 6], [5, 6]]) + 0.5) / SIDE
    torch.testing.assert_close(found.points[0, 0, :3], centres)
    assert found.is_peak[0, 0, :3].all()
    flat = find_candidates(torch.arange(144.0).view(1, 1, 144), SIDE, PEAKS)
    assert flat.is_peak[0, 0].tolist() == [True, False, False, False]
    chosen = found.choose(torch.tensor([[[0.0, 2.0, 1.0, -1.0]]]))
    torch.testing.assert_close(chosen[0, 0], centres[1])


def test_the_spread_of_a_layout_leaves_out_unknown_keypoints():
    points = torch.tensor([[[0.2, 0.5], [0.8, 0.5], [0.0, 0.0]]])
    is_known = torch.tensor([[True, True, False]])
    layout = Layout.of(points, is_known, torch.ones(1))
    assert layout.scale.item() == pytest.approx(0.3)
    single = Layout.of(points, is_known & torch.tensor([True, False, False]), None)
    assert single.scale.item() == pytest.approx(0.05)
    assert {field.name for field in fields(layout)} == {'points', 'scale', 'certainty'}
