"""What every head gets and gives."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from mmengine.model import BaseModule

from ...errors import ConfigError
from ..layers import CudaGraphs


@dataclass(frozen=True)
class EpisodeContext:
    """Encoded episodes, one row per query.

    Attributes:
        keypoint_tokens: support keypoints that have seen the query, (N, K, C).
        query_tokens: query tokens that have seen the keypoints, (N, L, C).
        fine_map: map in which keypoints are searched, (N, C, H, W).
        hops: graph distances, int64 (N, K, K).
        is_known: keypoint is visible in some support, bool (N, K).
        num_steps: largest number of known keypoints among the rows.
    """

    keypoint_tokens: torch.Tensor
    query_tokens: torch.Tensor
    fine_map: torch.Tensor
    hops: torch.Tensor
    is_known: torch.Tensor
    num_steps: int

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All but ``num_steps``, in the order of the constructor."""
        return (
            self.keypoint_tokens,
            self.query_tokens,
            self.fine_map,
            self.hops,
            self.is_known,
        )


@dataclass(frozen=True)
class QueryTargets:
    """Labels of the queries; only the loss sees them.

    Attributes:
        points: true (x, y) in [0, 1] of the crop, (N, K, 2).
        is_visible: labelled and inside the crop, bool (N, K).
    """

    points: torch.Tensor
    is_visible: torch.Tensor

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Both, in the order of the constructor."""
        return self.points, self.is_visible


@dataclass(frozen=True)
class Estimate:
    """Where a stage of a head sees the keypoints.

    Attributes:
        logits: heat maps, (N, K, H, W).
        points: (x, y) in [0, 1], float32 (N, K, 2).
        scores: share of the heat map's mass at the peak, in [0, 1], float32 (N, K).
    """

    logits: torch.Tensor
    points: torch.Tensor
    scores: torch.Tensor


class Prediction(NamedTuple):
    """What a head says of the queries' keypoints.

    Attributes:
        points: (x, y) in [0, 1] of the crop, float32 (N, K, 2).
        scores: confidence that a point is right, in [0, 1], float32 (N, K).
        visibility: probability that the keypoint shows in the query, float32 (N, K);
            None from a head that does not tell.
        matched: (x, y) that a matcher without parameters finds on the same features, in
            [0, 1] of the crop, float32 (N, K, 2), a floor beside the head's own points;
            None from a head that has no such matcher.
    """

    points: torch.Tensor
    scores: torch.Tensor
    visibility: torch.Tensor | None = None
    matched: torch.Tensor | None = None

    def hide_unknown(self, is_known: torch.Tensor) -> Prediction:
        """Keypoints that no support shows get the crop's centre and zeros."""
        is_hidden = ~is_known
        visibility, matched = self.visibility, self.matched
        if visibility is not None:
            visibility = visibility.masked_fill(is_hidden, 0)
        if matched is not None:
            matched = matched.masked_fill(is_hidden[..., None], 0.5)
        return Prediction(
            self.points.masked_fill(is_hidden[..., None], 0.5),
            self.scores.masked_fill(is_hidden, 0),
            visibility,
            matched,
        )


class BaseHead(BaseModule, metaclass=ABCMeta):
    """Base of the heads: from encoded episodes to points.

    The split into :meth:`loss` and :meth:`predict` is what keeps labels out of
    prediction: only the former is ever given any.
    """

    modes: tuple[str, ...] = ()
    """What :meth:`predict` takes as ``mode``; empty: anything."""

    never_adapted: tuple[str, ...] = ()
    """Starts of names of parameters that a user's few supports must not change."""

    capturable = True
    """Whether :meth:`predict` may be recorded as a CUDA graph."""

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.cuda_graphs = CudaGraphs()

    def forward(
        self, context: EpisodeContext, mode: str, cuda_graph: bool = False
    ) -> Prediction:
        """Predict, on a GPU as a CUDA graph where asked for.

        The first call with a batch's sizes and number of keypoints records the graph,
        which takes about as long as two predictions.

        Args:
            context: encoded episodes.
            mode: as :meth:`predict`.
            cuda_graph: replay the prediction's kernels as one graph. Without effect on
                a CPU, where gradients are recorded and where the head can't.
        """
        can_replay = self.capturable and context.fine_map.is_cuda
        if not (cuda_graph and can_replay) or torch.is_grad_enabled():
            return self.predict(context, mode)
        self.check_mode(mode)

        def predict(*tensors: torch.Tensor) -> Prediction:
            return self.predict(EpisodeContext(*tensors, context.num_steps), mode)

        addresses = tuple(weight.data_ptr() for weight in self.parameters())
        key = (mode, context.num_steps, addresses)
        return Prediction(*self.cuda_graphs.run(predict, context.tensors(), key))

    def check_mode(self, mode: str) -> None:
        """Refuse a mode of prediction that the head does not have.

        Raises:
            ConfigError: names the modes that there are.
        """
        if self.modes and mode not in self.modes:
            raise ConfigError(
                f'test_cfg mode must be one of {self.modes}, got {mode!r}. Set it with '
                f'--cfg-options model.test_cfg.mode=...'
            )

    @abstractmethod
    def loss(
        self, context: EpisodeContext, targets: QueryTargets
    ) -> dict[str, torch.Tensor]:
        """Scalar losses under ``loss_*`` keys.

        With ``train_cfg.cuda_graph`` it is recorded once per batch shape and replayed:
        the losses must then depend neither on ``context.num_steps`` nor on any other
        Python value that was read from a tensor, which would stay those of the batch
        that was recorded.
        """

    @abstractmethod
    def predict(self, context: EpisodeContext, mode: str) -> Prediction:
        """Find the keypoints; the head is given no label."""
