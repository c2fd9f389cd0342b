"""Transformer that refines keypoints one after the other.

Every keypoint stands in the sequence twice: as a *question* (where is it, given what
was found before?) and, once answered, as *history* (it is there). A question looks back
at the history of the earlier keypoints and at itself; history looks back at earlier
history and at itself. So all questions of a training step are answered in one pass, and
at test time each step adds one question and the previous step's history.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ...utils.value_checks import check_at_least, check_probability
from ..layers import (
    DecoderLayer,
    HopBias,
    KVCache,
    PointEncoding,
    cast_bias,
    mask_to_bias,
)
from ..layers.heatmap import sample_at
from ..layers.transformer import KeysValues
from .base import EpisodeContext
from .decode_order import take_in_order
from .prefix_mix import History


class AutoregressiveDecoder(nn.Module):
    """Decoder stack with its two kinds of input tokens.

    Args:
        embed_dims: C.
        num_layers: decoder layers.
        num_heads: attention heads.
        max_hops: largest graph distance that is told apart.
        dropout: probability in every layer.

    Raises:
        ConfigError: a value can't be.
    """

    def __init__(
        self,
        embed_dims: int,
        num_layers: int = 3,
        num_heads: int = 8,
        max_hops: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least('num_layers', num_layers, 1)
        check_probability('dropout', dropout)
        self.num_heads = num_heads
        self.point_encoding = PointEncoding(embed_dims)
        self.question_feature = nn.Linear(embed_dims, embed_dims)
        self.history_feature = nn.Linear(embed_dims, embed_dims)
        self.question_type = nn.Parameter(torch.zeros(embed_dims))
        self.history_type = nn.Parameter(torch.zeros(embed_dims))
        self.unknown = nn.Parameter(torch.zeros(embed_dims))
        self.hop_bias = HopBias(num_heads, max_hops)
        self.layers = nn.ModuleList(
            DecoderLayer(embed_dims, num_heads, dropout=dropout)
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(embed_dims)
        for parameter in (self.question_type, self.history_type, self.unknown):
            nn.init.normal_(parameter, std=0.02)

    def questions(
        self, context: EpisodeContext, proposals: torch.Tensor | None
    ) -> torch.Tensor:
        """Tokens that ask for every keypoint, (N, K, C).

        Args:
            context: encoded episodes.
            proposals: first guess of every keypoint, (x, y) in [0, 1], (N, K, 2);
                None if there is none.
        """
        if proposals is None:
            return context.keypoint_tokens + self.question_type
        seen = self.question_feature(sample_at(context.fine_map, proposals))
        place = self.point_encoding(proposals)
        return context.keypoint_tokens + place + seen + self.question_type

    def history(
        self, tokens: torch.Tensor, fine_map: torch.Tensor, emitted: History
    ) -> torch.Tensor:
        """Tokens that tell what was emitted, (N, T, C).

        Args:
            tokens: identity of the keypoints, (N, T, C).
            fine_map: query map, (N, C, H, W).
            emitted: their coordinates, T per row.
        """
        seen = self.history_feature(sample_at(fine_map, emitted.points))
        told = self.point_encoding(emitted.points) + seen
        if emitted.is_unknown is not None:
            told = torch.where(emitted.is_unknown[..., None], self.unknown, told)
        return tokens + told + self.history_type

    def forward(
        self,
        context: EpisodeContext,
        proposals: torch.Tensor | None,
        emitted: History,
        order: torch.Tensor,
        sees_all: bool = False,
    ) -> torch.Tensor:
        """Answer all questions in one pass.

        Args:
            context: encoded episodes.
            proposals: first guesses, (N, K, 2), or None.
            emitted: history of all keypoints.
            order: keypoint indices in the order of decoding, (N, K).
            sees_all: questions look at the history of all *other* known keypoints, not
                only of the earlier ones (refinement after decoding).

        Returns:
            Answers in the keypoints' own order, (N, K, C).
        """
        hidden = emitted.is_unknown
        emitted = History(
            take_in_order(emitted.points, order),
            None if hidden is None else take_in_order(hidden, order),
        )
        inputs = self.prepare(context, proposals, order, sees_all)
        answers = self.answer(inputs, context.fine_map, emitted)
        return take_in_order(answers, order.argsort(dim=1))

    def prepare(
        self,
        context: EpisodeContext,
        proposals: torch.Tensor | None,
        order: torch.Tensor,
        sees_all: bool = False,
    ) -> DecoderInputs:
        """What a pass needs beside the history; arguments as in :meth:`forward`.

        ``order`` may leave out the last keypoints, (N, T): then only T are asked.
        """
        bias = self._full_bias(context, order, sees_all)
        return self._gather_inputs(context, proposals, order, bias)

    def answer(
        self, inputs: DecoderInputs, fine_map: torch.Tensor, emitted: History
    ) -> torch.Tensor:
        """Answer all questions at once.

        Args:
            inputs: what :meth:`prepare` returned.
            fine_map: query map, (N, C, H, W).
            emitted: history of the T keypoints in the order of decoding.

        Returns:
            Answers in the order of decoding, (N, T, C).
        """
        history = self.history(inputs.identities, fine_map, emitted)
        tokens = torch.cat([history, inputs.questions], dim=1)
        last = len(self.layers) - 1
        for index, (layer, memory) in enumerate(zip(self.layers, inputs.memories)):
            # nobody looks at what the last layer would make of the history
            num_skipped = history.shape[1] if index == last else 0
            tokens = layer(tokens, memory, inputs.bias, num_skipped)
        return self.norm(tokens)

    def _full_bias(
        self, context: EpisodeContext, order: torch.Tensor, sees_all: bool
    ) -> torch.Tensor:
        num = order.shape[1]
        ones = torch.ones(num, num, dtype=torch.bool, device=order.device)
        itself = torch.eye(num, dtype=torch.bool, device=order.device)
        looks_back = ones.tril(-1)
        history_rows = torch.cat([looks_back | itself, torch.zeros_like(ones)], dim=1)
        if sees_all:
            known = take_in_order(context.is_known, order)[:, None, :]
            others = known & ~itself
            rows = others.shape[0]
            question_rows = torch.cat([others, itself.expand(rows, -1, -1)], dim=2)
            history_rows = history_rows.expand(rows, -1, -1)
        else:
            question_rows = torch.cat([looks_back, itself], dim=1)
        is_allowed = torch.cat([history_rows, question_rows], dim=-2)
        hop_bias = self.hop_bias(ordered_hops(context.hops, order)).repeat(1, 1, 2, 2)
        mask = mask_to_bias(is_allowed, hop_bias.dtype)
        return hop_bias + (mask[:, None] if sees_all else mask)

    def start(
        self,
        context: EpisodeContext,
        proposals: torch.Tensor | None,
        order: torch.Tensor,
    ) -> DecodingState:
        """Prepare step-by-step decoding; arguments as in :meth:`forward`."""
        bias = self._step_bias(context, order)
        inputs = self._gather_inputs(context, proposals, order, bias)
        keys = inputs.memories[0][0]
        shape = (keys.shape[0], self.num_heads, context.num_steps, keys.shape[3])
        return DecodingState(inputs, [KVCache(shape, keys) for _ in self.layers])

    def _gather_inputs(
        self,
        context: EpisodeContext,
        proposals: torch.Tensor | None,
        order: torch.Tensor,
        bias: torch.Tensor,
    ) -> DecoderInputs:
        memories = [layer.project_memory(context.query_tokens) for layer in self.layers]
        return DecoderInputs(
            questions=take_in_order(self.questions(context, proposals), order),
            identities=take_in_order(context.keypoint_tokens, order),
            bias=cast_bias(bias, memories[0][0].dtype),  # once, not in every layer
            memories=memories,
        )

    def _step_bias(self, context: EpisodeContext, order: torch.Tensor) -> torch.Tensor:
        hop_bias = self.hop_bias(ordered_hops(context.hops, order))
        # keys stand in the order of decoding: the history of a step and, last, the
        # question; the history that is added with it must not look at the question
        ones = torch.ones(hop_bias.shape[-2:], dtype=torch.bool, device=order.device)
        return hop_bias + mask_to_bias(ones.tril(), hop_bias.dtype)

    def step(
        self,
        state: DecodingState,
        index: int,
        fine_map: torch.Tensor,
        last_points: torch.Tensor | None,
    ) -> torch.Tensor:
        """Answer one question.

        Args:
            state: what :meth:`start` returned; its caches grow by one.
            index: step, counted from 0.
            fine_map: query map, (N, C, H, W).
            last_points: what step ``index - 1`` emitted, (N, 1, 2); None at step 0.

        Returns:
            The answer, (N, 1, C).
        """
        inputs = state.inputs
        tokens = inputs.questions[:, index : index + 1]
        bias = inputs.bias[:, :, index : index + 1, : index + 1]
        if last_points is not None:
            last = inputs.identities[:, index - 1 : index]
            told = self.history(last, fine_map, History(last_points))
            tokens = torch.cat([told, tokens], dim=1)
            bias = inputs.bias[:, :, index - 1 : index + 1, : index + 1]
        num_kept = tokens.shape[1] - 1
        for layer, memory, cache in zip(self.layers, inputs.memories, state.caches):
            tokens = layer.step(tokens, memory, cache, bias, num_kept)
        return self.norm(tokens[:, -1:])


@dataclass(frozen=True)
class DecoderInputs:
    """What stays the same while the history changes, T of the K keypoints.

    Attributes:
        questions: in the order of decoding, (N, T, C).
        identities: keypoint tokens in the order of decoding, (N, T, C).
        bias: by graph distance, and who may look at whom; for a pass over [history ;
            questions] (N, heads, 2T, 2T), for steps (N, heads, T, T).
        memories: cross-attention keys and values, one pair per layer.
    """

    questions: torch.Tensor
    identities: torch.Tensor
    bias: torch.Tensor
    memories: list[KeysValues]


@dataclass(frozen=True)
class DecodingState:
    """Step-by-step decoding.

    Attributes:
        inputs: of all K keypoints.
        caches: self-attention keys and values, one per layer; they grow.
    """

    inputs: DecoderInputs
    caches: list[KVCache]


def ordered_hops(hops: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """Graph distances with rows and columns in the order of decoding, (N, K, K)."""
    by_row = take_in_order(hops, order)
    return take_in_order(by_row.transpose(1, 2), order).transpose(1, 2)
