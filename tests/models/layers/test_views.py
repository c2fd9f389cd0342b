"""Views of an image: points and pixels go the same way, and views compose."""

from __future__ import annotations

import pytest
import torch

from cape_mm.models.layers.views import (
    View,
    all_views,
    composition_table,
    view_images,
)

VIEWS = all_views(4, mirror=True) + [View(30), View(75, True), View(200)]
SIDE = 8


def test_hand_worked_points():
    """y points down, so a quarter turn takes the right edge to the lower one."""
    right, lower = torch.tensor([0.5, 0.0]), torch.tensor([0.0, 0.5])
    moved = {
        View(90): (lower, -right),
        View(180): (-right, -lower),
        View(0, True): (-right, lower),
        View(90, True): (lower, right),
    }
    for view, expected in moved.items():
        points = torch.stack([right, lower]) @ view.matrix().T
        torch.testing.assert_close(points, torch.stack(expected), atol=1e-6, rtol=0)


@pytest.mark.parametrize('first', VIEWS)
def test_a_view_of_a_view_is_their_composition(first):
    for second in VIEWS:
        once = second.after(first).matrix()
        twice = second.matrix() @ first.matrix()
        torch.testing.assert_close(once, twice, atol=1e-6, rtol=0)


def test_images_at_quarter_turns_are_those_of_torch(rng):
    images = torch.rand(2, 3, SIDE, SIDE, generator=rng)
    for turns in range(4):
        turned = images.rot90(-turns, dims=(2, 3))  # rot90 turns the other way
        seen = view_images(images, View(90 * turns))
        torch.testing.assert_close(seen, turned, atol=1e-5, rtol=0)
        mirrored = view_images(images, View(90 * turns, True))
        torch.testing.assert_close(mirrored, turned.flip(-1), atol=1e-5, rtol=0)
    assert view_images(images, View()) is images


@pytest.mark.parametrize('view', VIEWS)
def test_a_bright_dot_lands_where_the_matrix_says(view):
    side, sigma = 48, 2.0
    point = torch.tensor([0.15, -0.25])
    along = (torch.arange(side) + 0.5) / side - 0.5

    def dot(centre: torch.Tensor) -> torch.Tensor:
        x, y = along[None, :] - centre[0], along[:, None] - centre[1]
        return (-(x**2 + y**2) / (2 * (sigma / side) ** 2)).exp()[None, None]

    # beyond the circle that all views share, corners reflect the dot
    is_shared = along[None, :] ** 2 + along[:, None] ** 2 < 0.42**2
    seen = view_images(dot(point), view) * is_shared
    share = seen[0, 0] / seen.sum()
    found = torch.stack([(share.sum(0) * along).sum(), (share.sum(1) * along).sum()])
    torch.testing.assert_close(found, view.matrix() @ point, atol=2e-3, rtol=0)


@pytest.mark.parametrize('mirror', [False, True])
@pytest.mark.parametrize('num_turns', [1, 3, 8])
def test_views_are_a_group_and_the_first_changes_nothing(num_turns, mirror):
    views = all_views(num_turns, mirror)
    table = composition_table(views)
    num = num_turns * (1 + mirror)
    assert views[0] == View() and len(set(views)) == num
    assert table[0].tolist() == table[:, 0].tolist() == list(range(num))
    for row in (*table, *table.T):  # every view has one way back
        assert sorted(row.tolist()) == list(range(num))
    for a, first in enumerate(views):
        for b, second in enumerate(views):
            assert views[table[a, b]] == second.after(first)
