"""Virtual keypoints: more to search than the data set labels.

A point at a fixed fraction of a skeleton edge is the same place on every instance of a
category, as far as the edge is straight on the object. The choice of edges and
fractions is drawn once per episode, so that support and query ask for the same points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...errors import ConfigError

_STREAM = 0x71A7


@TRANSFORMS.register_module()
class VirtualKeypoints(BaseTransform):
    """Ask for points interpolated along skeleton edges, in training only.

    The transform states the wish; ``pack_episode``, which knows the skeleton, adds the
    points to all instances of the episode alike, see :class:`VirtualPlan`.

    Required keys: ``episode_seed``. Added key: ``virtual_keypoints``.

    Args:
        max_points: largest number of points of an episode; the number is drawn
            uniformly from 1 to this, at most one point per edge.
        margin: a point keeps this fraction of its edge from either end.
        weight: what a virtual keypoint counts in the loss; a real one counts 1.
        prob: share of episodes that have any.

    Raises:
        ValueError: a value is out of its range.
    """

    def __init__(
        self,
        max_points: int = 6,
        margin: float = 0.25,
        weight: float = 0.5,
        prob: float = 0.5,
    ) -> None:
        if max_points < 1 or not 0 <= margin <= 0.5 or not 0 < weight <= 1:
            raise ValueError(
                f'expected max_points >= 1, margin in [0, 0.5] and weight in (0, 1], '
                f'got {max_points}, {margin} and {weight}'
            )
        self.max_points = max_points
        self.margin = margin
        self.weight = weight
        self.prob = prob

    def transform(self, results: dict) -> dict:
        results['virtual_keypoints'] = self
        return results

    def plan(
        self, skeleton: Sequence[Sequence[int]], num_keypoints: int, episode_seed: int
    ) -> VirtualPlan | None:
        """Draw an episode's virtual keypoints.

        Args:
            skeleton: 0-based index pairs, E of them.
            num_keypoints: K.
            episode_seed: the only source of chance.

        Returns:
            None where the episode has none: by chance, or for want of edges.
        """
        rng = np.random.default_rng([episode_seed, _STREAM])
        if rng.random() >= self.prob or not len(skeleton):
            return None
        number = rng.integers(1, min(self.max_points, len(skeleton)) + 1)
        chosen = np.sort(rng.choice(len(skeleton), size=number, replace=False))
        return VirtualPlan(
            edges=tuple(tuple(map(int, skeleton[edge])) for edge in chosen),
            fractions=tuple(rng.uniform(self.margin, 1 - self.margin, size=number)),
            num_real=num_keypoints,
            weight=self.weight,
        )


def refuse_virtual_keypoints(transforms: Iterable[object]) -> None:
    """Check that an evaluation pipeline asks for no virtual keypoints.

    Args:
        transforms: transforms, and wrappers of some (``transforms``).

    Raises:
        ConfigError: one of them is :class:`VirtualKeypoints`.
    """
    for transform in transforms:
        if isinstance(transform, VirtualKeypoints):
            raise ConfigError(
                'VirtualKeypoints is an augmentation: no metric may score points that '
                'no one labelled. Leave it out of the pipeline of a data set with '
                'test_mode=True.'
            )
        refuse_virtual_keypoints(getattr(transform, 'transforms', ()))


@dataclass(frozen=True)
class VirtualPlan:
    """The virtual keypoints of one episode, V of them, after its K real ones.

    Attributes:
        edges: the skeleton edge (a, b) that each lies on.
        fractions: where on it; 0 is a, 1 is b.
        num_real: K.
        weight: what each counts in the loss.
    """

    edges: tuple[tuple[int, int], ...]
    fractions: tuple[float, ...]
    num_real: int
    weight: float

    @property
    def num_keypoints(self) -> int:
        """K + V."""
        return self.num_real + len(self.edges)

    @property
    def weights(self) -> list[float]:
        """What every keypoint counts in the loss, K + V values."""
        return [1.0] * self.num_real + [self.weight] * len(self.edges)

    def extend_skeleton(self, skeleton: Sequence[Sequence[int]]) -> list[list[int]]:
        """The skeleton with both halves of every divided edge.

        The divided edge stays: graph distances between real keypoints are those of
        evaluation.
        """
        edges = [list(edge) for edge in skeleton]
        for index, (start, end) in enumerate(self.edges, start=self.num_real):
            edges += [[start, index], [index, end]]
        return edges

    def extend_points(self, points: torch.Tensor) -> torch.Tensor:
        """(..., K, 2) to (..., K + V, 2); any affine map of the plane commutes."""
        start, end = torch.tensor(self.edges).unbind(dim=1)
        share = points.new_tensor(self.fractions)[:, None]
        added = torch.lerp(points[..., start, :], points[..., end, :], share)
        return torch.cat([points, added], dim=-2)

    def extend_mask(self, is_visible: torch.Tensor) -> torch.Tensor:
        """bool (..., K) to (..., K + V): visible only if both ends are."""
        start, end = torch.tensor(self.edges).unbind(dim=1)
        added = is_visible[..., start] & is_visible[..., end]
        return torch.cat([is_visible, added], dim=-1)
