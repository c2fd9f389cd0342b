"""A query's layout that is the support's, moved, is recognised by its maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cape_mm.models.layers.heatmap import gaussian_target
from cape_mm.models.layers.relation_grid import RelationGrid
from cape_mm.models.layers.views import View, all_views

VIEWS = all_views(4, mirror=True)
SIDE = 16
LAYOUT = torch.tensor(
    [[-0.2, -0.15], [0.22, -0.12], [0.1, 0.2], [-0.05, 0.02], [-0.15, 0.1]]
)
"""Of five keypoints, centred; no turn or mirroring of it is itself."""

MOTIONS = {
    'the same': (View(), 1.0, (0.0, 0.0)),
    'turned': (View(90), 1.0, (0.0, 0.0)),
    'turned between two views': (View(45), 1.0, (0.0, 0.0)),
    'mirrored': (View(0, True), 1.0, (0.0, 0.0)),
    'mirrored and turned': (View(270, True), 1.0, (0.06, 0.0)),
    'larger': (View(), 1.42, (0.0, 0.0)),
    'smaller and shifted': (View(180), 0.7, (0.12, -0.06)),
}
every_motion = pytest.mark.parametrize('motion', MOTIONS.values(), ids=MOTIONS)


def move(motion: tuple) -> Tensor:
    """The layout in the query, centred (K, 2)."""
    view, scale, shift = motion
    return LAYOUT @ view.matrix().T * scale + torch.tensor(shift)


def maps_at(truth: Tensor) -> Tensor:
    """Maps (1, 1, V, K, SIDE, SIDE) with a bump at every keypoint, in all views."""
    bumps = gaussian_target(truth[None] + 0.5, (SIDE, SIDE), 1.0)
    bumps = bumps / bumps.amax(dim=-1, keepdim=True)
    maps = bumps.unflatten(-1, (SIDE, SIDE))[:, None, None]
    return maps.repeat(1, 1, len(VIEWS), 1, 1, 1)


def all_seen(*shape: int) -> Tensor:
    return torch.ones(*shape, len(LAYOUT), dtype=torch.bool)


@every_motion
def test_the_likeliest_relation_puts_the_keypoints_near_the_truth(motion):
    grid, truth = RelationGrid(VIEWS), move(motion)
    points, is_visible = LAYOUT[None, None], all_seen(1, 1)
    logits = grid(maps_at(truth), points, is_visible)
    found = grid.likeliest(logits, points, is_visible, num=4)
    assert found.points.shape == (1, 4, 5, 2) and found.has_point.all()
    away = (found.points[0, 0] - 0.5 - truth).norm(dim=-1)
    assert away.max() < 0.05
    weights = found.weights[0]
    assert weights.sum().item() == pytest.approx(1, abs=1e-5)
    assert (weights[:-1] >= weights[1:]).all()


@every_motion
def test_the_loss_is_smallest_for_the_true_relation(motion):
    grid = RelationGrid(VIEWS)
    losses = {}
    for name, other in MOTIONS.items():
        logits = grid(maps_at(move(other)), LAYOUT[None, None], all_seen(1, 1))
        loss = grid.loss(logits, LAYOUT[None], move(motion)[None], all_seen(1))
        losses[name] = loss.item()
    assert MOTIONS[min(losses, key=losses.get)] is motion


def test_only_what_is_seen_has_a_say(rng):
    """Neither maps nor points of keypoints and shots that are hidden matter."""
    grid, truth = RelationGrid(VIEWS), move(MOTIONS['turned'])
    maps = maps_at(truth).repeat(1, 3, 1, 1, 1, 1) - 2  # an empty support says 0
    points = LAYOUT.repeat(1, 3, 1, 1)
    is_visible = all_seen(1, 3)
    is_visible[0, 0, 1] = False
    is_visible[0, 2] = False  # a whole support
    expected = grid(maps, points, is_visible)
    maps[0, 0, :, 1] = torch.rand(maps[0, 0, :, 1].shape, generator=rng)
    maps[0, 2], points[0, 0, 1], points[0, 2] = 100, 0.3, 0.1
    logits = grid(maps, points, is_visible)
    torch.testing.assert_close(logits[:, :2], expected[:, :2])
    found = grid.likeliest(logits, points, is_visible, num=5)
    assert not found.has_point[..., 1].all() and found.has_point[..., 0].all()
    assert (found.points[0, 0, 0] - 0.5 - truth[0]).norm() < 0.05


def test_the_loss_equals_its_definition(rng):
    """Against the squared distances of all relations, one by one."""
    grid = RelationGrid(VIEWS[:3], scales=(0.8, 1.0), num_shifts=3)
    num = grid.matrices.shape[:2].numel() * len(grid.shifts)
    shape = (2, 1, 3, num // 3 // len(grid.shifts), len(grid.shifts))
    logits = torch.randn(shape, generator=rng)
    truth = torch.rand(2, 5, 2, generator=rng) - 0.5
    is_scored = torch.rand(2, 5, generator=rng) < 0.6
    is_scored[:, 0] = True
    losses = grid.loss(logits, LAYOUT.expand(2, 5, 2), truth, is_scored, sigma=0.2)
    for row in range(2):
        errors = [
            (LAYOUT @ matrix.T + shift - truth[row])[is_scored[row]].square().sum(-1)
            for matrix in grid.matrices.flatten(0, 1)
            for shift in grid.shifts
        ]
        target = (-torch.stack(errors).mean(dim=-1) / (2 * 0.2**2)).softmax(dim=0)
        expected = -(target * logits[row].flatten().log_softmax(dim=0)).sum()
        torch.testing.assert_close(losses[row], expected)
    nothing = grid.loss(logits, LAYOUT.expand(2, 5, 2), truth, is_scored & False)
    assert not nothing.any()


def test_angles_between_the_views_are_tried():
    """Views every 90 degrees, relations every 15, plain and mirrored."""
    grid = RelationGrid(VIEWS, scales=(1.0,))
    found = grid.matrices.flatten(0, 1)
    for view in all_views(24, mirror=True):
        gaps = (found - view.matrix()).abs().amax(dim=(1, 2))
        assert gaps.min() < 1e-5, view
