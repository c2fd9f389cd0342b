"""An image seen turned and mirrored.

Convention:
    - points are (x, y) with the origin in the image's centre, in fractions of its side,
      y down: the unit points of a crop minus one half
    - a view turns first and mirrors left and right afterwards
    - images are square, so that a turn keeps their shape
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F


class View(NamedTuple):
    """A way to look at an image.

    Attributes:
        degrees: how far it is turned, clockwise as seen, in [0, 360).
        is_mirrored: left and right change places, after the turn.
    """

    degrees: float = 0.0
    is_mirrored: bool = False

    def matrix(self) -> torch.Tensor:
        """What a view does to centred points: ``points @ matrix.T``, (2, 2)."""
        angle = math.radians(self.degrees)
        cosine, sine = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[cosine, -sine], [sine, cosine]])
        return (
            torch.diag(torch.tensor([-1.0, 1.0])) @ turn if self.is_mirrored else turn
        )

    def after(self, first: View) -> View:
        """The view that looks with ``first`` and then with this one."""
        sign = -1 if first.is_mirrored else 1
        return View(
            (sign * self.degrees + first.degrees) % 360,
            self.is_mirrored != first.is_mirrored,
        )


def all_views(num_turns: int, mirror: bool) -> list[View]:
    """Views at even angles, plain and mirrored; the first one changes nothing."""
    return [
        View(360 * turn / num_turns, is_mirrored)
        for is_mirrored in ((False, True) if mirror else (False,))
        for turn in range(num_turns)
    ]


def composition_table(views: list[View]) -> torch.Tensor:
    """Index of "view b after view a" in row a and column b, int64 (V, V)."""
    rows = [[views.index(b.after(a)) for b in views] for a in views]
    return torch.tensor(rows)


def view_images(images: torch.Tensor, view: View) -> torch.Tensor:
    """Images as a view shows them; what lies outside is their reflection.

    Args:
        images: (N, C, H, H).
        view: how to look.

    Returns:
        (N, C, H, H).
    """
    if view == View():
        return images
    # where every pixel of the result comes from: an orthogonal matrix, turned back
    theta = F.pad(view.matrix().T, (0, 1)).to(images)
    grid = F.affine_grid(
        theta.expand(len(images), 2, 3), list(images.shape), align_corners=False
    )
    return F.grid_sample(images, grid, padding_mode='reflection', align_corners=False)
