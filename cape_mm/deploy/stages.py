"""A CAPE model cut into parts that are plain functions of tensors.

Convention:
    - one support category at a time: S shots, K keypoints, N queries
    - images are uint8 BGR crops of the network's size; normalisation is inside
    - points are (x, y) in [0, 1] of the crop
"""

from __future__ import annotations

import torch
from torch import nn

from ..models import CAPE
from ..models.estimators import BaseEpisodeEstimator
from ..models.heads import Estimate
from ..models.heads.base import EpisodeContext
from ..models.heads.prefix_mix import History
from ..models.layers import mask_to_bias


class _ModelStage(nn.Module):
    """A stage that needs parts before the head.

    Args:
        model: a trained model.
    """

    def __init__(self, model: BaseEpisodeEstimator) -> None:
        super().__init__()
        self.model = model


class SupportStage(_ModelStage):
    """Support pictures and their keypoints to tokens."""

    def forward(
        self,
        images: torch.Tensor,
        keypoints: torch.Tensor,
        is_visible: torch.Tensor,
        hops: torch.Tensor,
    ) -> torch.Tensor:
        """(S, 3, H, W), (S, K, 2), bool (S, K), int64 (K, K) -> tokens (1, K, C)."""
        model = self.model
        own = model.support_backbone is not None
        backbone = model.support_backbone if own else model.backbone
        neck = model.support_neck if own else model.neck
        maps = list(neck(backbone(normalise(model, images))))
        keypoints = keypoints.masked_fill(~is_visible[..., None], 0).clamp(0, 1)[None]
        seen = is_visible[None]
        tokens = model.keypoint_tokens(maps, keypoints, seen)
        return model.pose_graph_encoder(tokens, keypoints, seen, hops[None])


class QueryStage(_ModelStage):
    """Query pictures and the support's tokens to proposals, and what decoding needs."""

    def forward(
        self, images: torch.Tensor, tokens: torch.Tensor, is_known: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """(N, 3, H, W), (1, K, C), bool (1, K) to what is read and carried on.

        Returns:
            Points (N, K, 2), scores (N, K), keypoint tokens (N, K, C), fine map
            (N, C, h, w); with a decoder also the questions (N, K, C) and its
            cross-attention keys and values, each (layers, N, heads, L, C / heads).
        """
        model, head = self.model, self.model.head
        fine, coarse = model.neck(model.backbone(normalise(model, images)))[:2]
        num = images.shape[0]
        query_tokens, keypoint_tokens, fine_map = model.joint_encoder(
            fine, coarse, tokens.expand(num, -1, -1), is_known.expand(num, -1)
        )
        found = head.readout(keypoint_tokens, fine_map)
        results = (found.points, found.scores, keypoint_tokens, fine_map)
        if not hasattr(head, 'decoder'):
            return results
        context = EpisodeContext(keypoint_tokens, query_tokens, fine_map, None, None, 0)
        questions = head.decoder.questions(context, found.points)
        memories = [layer.project_memory(query_tokens) for layer in head.decoder.layers]
        keys, values = (torch.stack(parts) for parts in zip(*memories))
        return *results, questions, keys, values


class DecodeStage(nn.Module):
    """One step of the decoder.

    Args:
        model: a trained model with an autoregressive head.
    """

    def __init__(self, model: CAPE) -> None:
        super().__init__()
        self.head = model.head

    def forward(
        self,
        question: torch.Tensor,
        identity: torch.Tensor,
        last_identity: torch.Tensor,
        last_points: torch.Tensor,
        has_last: torch.Tensor,
        hops: torch.Tensor,
        fine_map: torch.Tensor,
        memory_keys: torch.Tensor,
        memory_values: torch.Tensor,
        cache_keys: torch.Tensor,
        cache_values: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        """Find the next keypoint of every query.

        Args:
            question: of the keypoint, (N, 1, C).
            identity: its keypoint token, (N, 1, C).
            last_identity: token of the keypoint found in the step before, (N, 1, C).
            last_points: where that was found, (N, 1, 2).
            has_last: there was a step before, bool (1,).
            hops: graph distances of the last keypoint and of this one to those in the
                cache, the last one and this one, int64 (N, 2, T + 2).
            fine_map: (N, C, h, w).
            memory_keys: (layers, N, heads, L, C / heads).
            memory_values: the same shape.
            cache_keys: of the T keypoints before the last, (layers, N, heads, T,
                C / heads).
            cache_values: the same shape.

        Returns:
            Points (N, 1, 2), scores (N, 1), corrected token (N, 1, C), and the last
            keypoint's keys and values, (layers, N, heads, 1, C / heads).
        """
        decoder = self.head.decoder
        told = decoder.history(last_identity, fine_map, History(last_points))
        tokens = torch.cat([told, question], dim=1)
        bias = decoder.hop_bias(hops) + _step_mask(hops, has_last)
        added = []
        for index, layer in enumerate(decoder.layers):
            memory = memory_keys[index], memory_values[index]
            cache = _OpenCache(cache_keys[index], cache_values[index])
            tokens = layer.step(tokens, memory, cache, bias, num_kept=1)
            added.append(cache.added)
        answer = decoder.norm(tokens[:, -1:])
        token = identity + self.head.correction(answer)
        found = self.head.readout(token, fine_map)
        keys, values = (torch.stack(parts) for parts in zip(*added))
        return found.points, found.scores, token, keys, values


class JudgeStage(nn.Module):
    """Confidence and visibility of what was found.

    Args:
        model: a trained model.
    """

    def __init__(self, model: CAPE) -> None:
        super().__init__()
        self.reliability = model.head.reliability

    def forward(
        self,
        tokens: torch.Tensor,
        fine_map: torch.Tensor,
        points: torch.Tensor,
        scores: torch.Tensor,
        proposed_points: torch.Tensor,
        proposed_scores: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, K, C), (N, C, h, w), twice (N, K, 2) and (N, K) -> twice (N, K)."""
        context = EpisodeContext(tokens, None, fine_map, None, None, 0)
        found = Estimate(None, points, scores)
        proposal = Estimate(None, proposed_points, proposed_scores)
        confidence, visibility = self.reliability(context, tokens, found, proposal)
        return confidence.sigmoid(), visibility.sigmoid()


class PoolStage(_ModelStage):
    """Support pictures and keypoints to tokens, of a :class:`SharedEncoderCAPE`."""

    def forward(
        self, images: torch.Tensor, keypoints: torch.Tensor, is_visible: torch.Tensor
    ) -> torch.Tensor:
        """(S, 3, H, W), (S, K, 2), bool (S, K) -> tokens (1, K, C)."""
        model = self.model
        feature_map = model.extract_map(normalise(model, images))
        pooled = model.head.pool(feature_map, keypoints)
        return model.head.merge_shots(pooled[None], is_visible[None])


class RefineStage(_ModelStage):
    """Query pictures and tokens to the result, of a :class:`SharedEncoderCAPE`."""

    def forward(
        self,
        images: torch.Tensor,
        tokens: torch.Tensor,
        is_known: torch.Tensor,
        hops: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 3, H, W), (1, K, C), bool (1, K), int64 (K, K) to points and scores."""
        query_map = self.model.extract_map(normalise(self.model, images))
        num = images.shape[0]
        context = EpisodeContext(
            keypoint_tokens=tokens.expand(num, -1, -1),
            query_tokens=None,
            fine_map=query_map,
            hops=hops.expand(num, -1, -1),
            is_known=is_known.expand(num, -1),
            num_steps=0,
        )
        return self.model.head.predict(context)[:2]


class _OpenCache:
    """Stands in for :class:`KVCache` where keys come from outside."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        self.keys = keys
        self.values = values
        self.added: tuple[torch.Tensor, torch.Tensor] | None = None

    def extend(
        self, keys: torch.Tensor, values: torch.Tensor, num_kept: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.added = keys[:, :, :num_kept], values[:, :, :num_kept]
        joined = (self.keys, keys), (self.values, values)
        return tuple(torch.cat(parts, dim=2) for parts in joined)


def _step_mask(hops: torch.Tensor, has_last: torch.Tensor) -> torch.Tensor:
    """The history must not see the question, nor the question a last that is none."""
    num_keys = hops.shape[-1]
    column = torch.arange(num_keys, device=hops.device)
    is_question, is_last = column == num_keys - 1, column == num_keys - 2
    for_history = ~is_question
    for_question = ~is_last | has_last
    is_allowed = torch.stack([for_history, for_question])
    return mask_to_bias(is_allowed, torch.float32)[None, None]


def normalise(model: CAPE, images: torch.Tensor) -> torch.Tensor:
    """uint8 BGR (N, 3, H, W) as the model's data preprocessor hands them on."""
    preprocessor = model.data_preprocessor
    if preprocessor.bgr_to_rgb:
        images = images.flip(1)
    return (images.float() - preprocessor.mean) / preprocessor.std
