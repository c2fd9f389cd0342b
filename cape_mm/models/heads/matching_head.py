"""The training-free matcher: the most similar cell is the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS

from ...utils.value_checks import check_at_least, check_not_negative
from ..layers import grid_points
from ..layers.feature_matching import similarity_maps
from ..layers.heatmap import gaussian_target
from ..losses import mean_over_pairs
from .base import BaseHead, Prediction, QueryTargets

TEMPERATURE = 0.06
TARGET_SIGMA = 0.8
"""Width of the heat map that is wanted, in cells."""


@dataclass(frozen=True)
class MatchingContext:
    """Encoded episodes for heads that compare features; B episodes, N queries.

    A support is seen in V views, the plain one first. Behind its K keypoints stand
    tokens of places spread over it, which tell what a cell could be instead: T = K +
    places.

    Attributes:
        tokens: per level (B, S, V, T, C) of length 1.
        maps: per level of the queries, (N, C, H, W), centred.
        points: of the supports, (x, y) in [0, 1], (B, S, K, 2).
        is_visible: bool (B, S, K).
        hops: graph distances, int64 (B, K, K).
        rows: episode of every query, int64 (N,).
        num_steps: largest number of known keypoints among the episodes.
    """

    tokens: tuple[torch.Tensor, ...]
    maps: tuple[torch.Tensor, ...]
    points: torch.Tensor
    is_visible: torch.Tensor
    hops: torch.Tensor
    rows: torch.Tensor
    num_steps: int

    @property
    def is_known(self) -> torch.Tensor:
        """Keypoint is visible in some support of the query's episode, bool (N, K)."""
        return self.is_visible.any(dim=1)[self.rows]

    def pool_views(self, weights: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        """One token per query, from all supports and views.

        Args:
            weights: of the views, by query and support, (N, S, V); None: the plain
                view, every support alike.

        Returns:
            Per level (N, T, C) of length 1; zero where no support shows the keypoint.
        """
        num_rest = self.tokens[0].shape[3] - self.is_visible.shape[-1]
        is_seen = F.pad(self.is_visible, (0, num_rest), value=True)
        seen = is_seen[:, :, None, :, None].to(self.tokens[0].dtype)
        pooled = []
        for tokens in self.tokens:
            if weights is None:
                mixed = (tokens[:, :, :1] * seen).sum(dim=(1, 2))[self.rows]
            else:
                # views and supports as one dimension: a product of matrices
                flat = (tokens * seen).flatten(1, 2).flatten(2)  # (B, S*V, T*C)
                flat = flat if len(flat) == 1 else flat[self.rows]
                mixed = torch.matmul(weights.flatten(1)[:, None], flat)[:, 0]
                mixed = mixed.unflatten(1, tokens.shape[3:])
            pooled.append(F.normalize(mixed, dim=-1))
        return tuple(pooled)


@MODELS.register_module()
class MatchingHead(BaseHead):
    """Takes the cell whose features are most similar to the support keypoint's.

    It has no parameters and learns nothing: the floor that learning has to pass.

    Args:
        level_weights: of the feature maps, finest first.
        side: keypoints are searched among ``side`` x ``side`` cells.
        init_cfg: initialisation, as everywhere in MMEngine.

    Raises:
        ConfigError: a value can't be.
    """

    modes: tuple[str, ...] = ('parallel',)
    capturable = False  # the small work of a batch does not pay for a recording

    def __init__(
        self,
        level_weights: Sequence[float] = (0.0, 1.0, 1.0),
        side: int = 32,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_at_least('side', side, 2)
        for weight in level_weights:
            check_not_negative('every level_weights', weight)
        self.matcher_weights = tuple(level_weights)
        self.side = side

    def match(self, context: MatchingContext) -> tuple[torch.Tensor, torch.Tensor]:
        """Best cells of the plain view.

        Returns:
            Points (N, K, 2) in [0, 1] and their similarity, mean over the levels of a
            cosine, (N, K).
        """
        num_keypoints = context.points.shape[2]
        tokens = [t[:, :num_keypoints] for t in context.pool_views(None)]
        maps = similarity_maps(tokens, context.maps, self.matcher_weights, self.side)
        best, cell = maps.max(dim=-1)
        cells = grid_points(self.side, self.side, maps.device)
        return cells[cell], best / sum(self.matcher_weights)

    @property
    def search_weights(self) -> tuple[Sequence[float], float]:
        """Weights of the levels, and the temperature of the similarity maps."""
        return self.matcher_weights, TEMPERATURE

    def matching_loss(
        self, context: MatchingContext, targets: QueryTargets
    ) -> torch.Tensor:
        """Cross-entropy of the plain view's similarity maps with the truth, a scalar.

        For features that learn; the head's own parameters get no gradient.

        Args:
            context: encoded episodes.
            targets: labels of the N queries.
        """
        weights, temperature = self.search_weights
        tokens = [t[:, : context.points.shape[2]] for t in context.pool_views(None)]
        maps = similarity_maps(tokens, context.maps, weights, self.side) / temperature
        wanted = gaussian_target(targets.points, (self.side, self.side), TARGET_SIGMA)
        entropy = -(wanted * maps.log_softmax(dim=-1)).sum(dim=-1)
        return mean_over_pairs(entropy, targets.is_visible & context.is_known)

    def loss(
        self, context: MatchingContext, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        """Nothing can be learned.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError('MatchingHead has no parameters to train: only test it')

    def predict(self, context: MatchingContext, mode: str = 'parallel') -> Prediction:
        """Find the keypoints.

        Args:
            context: encoded episodes.
            mode: 'parallel', the only one.

        Returns:
            The prediction; the confidence is the similarity, at least 0.
        """
        self.check_mode(mode)
        points, similarity = self.match(context)
        found = Prediction(points, similarity.clamp(0, 1))
        return found.hide_unknown(context.is_known)
