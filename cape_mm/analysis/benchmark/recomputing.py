"""Decoding with the key-value cache against recomputing all that came before."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import torch

from ...models.heads import AutoregressiveHead, EpisodeContext
from ...models.heads.autoregressive_decoder import ordered_hops
from ...models.heads.decode_order import skeleton_order, take_in_order
from ...models.heads.prefix_mix import History
from ...models.layers import CudaGraphs
from .settings import BenchmarkSettings
from .subject import Subject
from .timing import alternate, ratio, summarise


def time_recomputing(
    subject: Subject, settings: BenchmarkSettings, context: EpisodeContext
) -> dict:
    """Cached decoding against recomputing, in turn.

    Returns:
        ``cached_ms``, ``recomputed_ms``, ``recomputed_over_cached``; on a GPU
        ``graph``, the same of both as CUDA graphs; ``order`` of the turns, and
        ``largest_difference`` of the points without autocast, as a fraction of the
        crop's side.
    """
    head = subject.model.head
    proposal = head.propose(context)
    order = skeleton_order(context.hops, proposal.scores, context.is_known)
    ways = dict(
        cached=functools.partial(_decode, head, context.num_steps),
        recomputed=functools.partial(_recompute, head, context.num_steps),
    )
    tensors = (*context.tensors(), proposal.points, order)
    works = {name: functools.partial(way, *tensors) for name, way in ways.items()}
    if subject.device.type == 'cuda':
        graphs = CudaGraphs()
        for name, way in ways.items():
            works[f'{name} (graph)'] = functools.partial(
                graphs.run, way, tensors, key=name
            )
    alternate(works, 1, subject.device)
    times, turns = alternate(works, settings.steps, subject.device)
    record = _compare_ways(times['cached'], times['recomputed'])
    if len(times) > len(ways):
        graphed = [times[f'{name} (graph)'] for name in ways]
        record['graph'] = _compare_ways(*graphed)
    with torch.autocast(subject.device.type, enabled=False):
        exact = [t.float() if t.is_floating_point() else t for t in tensors]
        found = [way(*exact)[0] for way in ways.values()]
    difference = (found[0] - found[1]).abs().max().item()
    return record | dict(largest_difference=difference, order=turns)


def _compare_ways(cached: Sequence[float], recomputed: Sequence[float]) -> dict:
    return dict(
        cached_ms=summarise(cached),
        recomputed_ms=summarise(recomputed),
        recomputed_over_cached=ratio(recomputed, cached),
    )


def _decode(
    head: AutoregressiveHead, num_steps: int, *tensors: torch.Tensor
) -> tuple[torch.Tensor]:
    context = EpisodeContext(*tensors[:-2], num_steps)
    points = tensors[-2] if head.use_proposals else None
    return (head.decode(context, points, tensors[-1])[1].points,)


def _recompute(
    head: AutoregressiveHead, num_steps: int, *tensors: torch.Tensor
) -> tuple[torch.Tensor]:
    context = EpisodeContext(*tensors[:-2], num_steps)
    points = tensors[-2] if head.use_proposals else None
    return (decode_by_recomputing(head, context, points, tensors[-1]),)


def decode_by_recomputing(
    head: AutoregressiveHead,
    context: EpisodeContext,
    proposals: torch.Tensor | None,
    order: torch.Tensor,
) -> torch.Tensor:
    """Decode without a cache: every step runs the decoder on all that came before.

    A step takes the keypoints up to its own and searches its own only.

    Args:
        head: head of the model.
        context: encoded episodes.
        proposals: first guesses, (N, K, 2), or None.
        order: keypoint indices in the order of decoding, (N, K).

    Returns:
        Points in the keypoints' own order, (N, K, 2); the crop's centre where no step
        was made.
    """
    ordered = replace(
        context,
        keypoint_tokens=take_in_order(context.keypoint_tokens, order),
        hops=ordered_hops(context.hops, order),
        is_known=take_in_order(context.is_known, order),
    )
    starts = None if proposals is None else take_in_order(proposals, order)
    points = context.fine_map.new_full((*order.shape, 2), 0.5, dtype=torch.float32)
    for index in range(context.num_steps):
        points[:, index] = _find_last(head, ordered, starts, points, index + 1)
    return take_in_order(points, order.argsort(dim=1))


def _find_last(
    head: AutoregressiveHead,
    ordered: EpisodeContext,
    starts: torch.Tensor | None,
    points: torch.Tensor,
    end: int,
) -> torch.Tensor:
    """Point of keypoint ``end - 1`` given those before it, (N, 2)."""
    part = replace(
        ordered,
        keypoint_tokens=ordered.keypoint_tokens[:, :end],
        hops=ordered.hops[:, :end, :end],
        is_known=ordered.is_known[:, :end],
        num_steps=end,
    )
    nothing = torch.zeros_like(part.is_known)
    emitted = History(points[:, :end], nothing)  # a question never sees its own entry
    order = torch.arange(end, device=points.device).expand(len(points), -1)
    starts = None if starts is None else starts[:, :end]
    answers = head.decoder(part, starts, emitted, order)
    token = part.keypoint_tokens[:, -1:] + head.correction(answers[:, -1:])
    return head.readout(token, part.fine_map).points[:, 0]
