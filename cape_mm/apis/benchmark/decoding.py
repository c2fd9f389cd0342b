"""The head alone: its modes, and its cache against recomputing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ...errors import ConfigError
from ...models.heads import AutoregressiveHead, EpisodeContext
from ...models.heads.autoregressive_decoder import ordered_hops
from ...models.heads.decode_order import skeleton_order, take_in_order
from ...models.heads.prefix_mix import History
from .made_input import make_batch
from .settings import BenchmarkSettings
from .subject import Subject, prepare
from .timing import PeakMemory, alternate, ratio, summarise

BASE_MODE = 'parallel'


def measure_decoding(
    config: str | Path, settings: BenchmarkSettings, cfg_options: Mapping | None
) -> tuple[Subject, dict]:
    """Time every mode of the head on the same encoded queries, for every K.

    Returns:
        The subject, and under ``keypoints`` one record per K, see :func:`time_modes`
        and :func:`time_recomputing`.

    Raises:
        CapeError: what the config makes impossible.
    """
    subject = prepare(config, settings, cfg_options)
    records = [
        measure_keypoints(subject, settings, num_keypoints)
        for num_keypoints in subject.sizes['num_keypoints']
    ]
    return subject, dict(keypoints=records)


def measure_keypoints(
    subject: Subject, settings: BenchmarkSettings, num_keypoints: int
) -> dict:
    """The record of one K."""
    sizes = subject.sizes | dict(num_keypoints=num_keypoints)
    batch = make_batch(settings.seed, **sizes)

    def encode() -> EpisodeContext:
        data = subject.model.data_preprocessor(batch, False)
        return subject.model.encode(data['inputs'])

    with torch.inference_mode(), subject.autocast():
        memory = PeakMemory(subject.device)
        context = encode()
        memory.end_phase('encode')
        record = dict(num_keypoints=num_keypoints, num_queries=len(context.fine_map))
        record |= time_modes(subject, settings, context, encode)
        memory.end_phase('modes')
        if isinstance(subject.model.head, AutoregressiveHead):
            record['cache'] = time_recomputing(subject, settings, context)
            memory.end_phase('cache')
    return record | dict(peak_memory_mib=memory.phases)


def time_modes(
    subject: Subject,
    settings: BenchmarkSettings,
    context: EpisodeContext,
    encode: Callable[[], EpisodeContext],
) -> dict:
    """Wall times of the encoder and of the head's modes, in turn.

    Returns:
        ``encode_ms`` (preprocessing included); ``ms`` of every mode;
        ``over_parallel``, the head alone in a mode over the head alone in parallel;
        ``prediction_over_parallel``, the same with the encoder's time on either side;
        ``order`` of the turns.

    Raises:
        ConfigError: the head does not name its modes.
    """
    head = subject.model.head
    if not head.modes:
        raise ConfigError(f'--mode decode: {type(head).__name__} names no modes')
    works: dict[str, Callable[[], object]] = dict(encode=encode)
    for mode in head.modes:
        works[mode] = functools.partial(head.predict, context, mode=mode)
    alternate(works, settings.warmup, subject.device)
    times, order = alternate(works, settings.steps, subject.device)
    encoding = times.pop('encode')
    record = dict(
        encode_ms=summarise(encoding),
        ms={mode: summarise(values) for mode, values in times.items()},
        order=order,
    )
    if BASE_MODE in times:
        base = times.pop(BASE_MODE)
        whole = _add(encoding, base)
        record['over_parallel'] = {
            mode: ratio(values, base) for mode, values in times.items()
        }
        record['prediction_over_parallel'] = {
            mode: ratio(_add(encoding, values), whole) for mode, values in times.items()
        }
    return record


def _add(values: Sequence[float], others: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(values, others)]


def time_recomputing(
    subject: Subject, settings: BenchmarkSettings, context: EpisodeContext
) -> dict:
    """Cached decoding against recomputing, in turn.

    Returns:
        ``cached_ms``, ``recomputed_ms``, ``recomputed_over_cached`` and
        ``largest_difference`` of the points, as a fraction of the crop's side.
    """
    head = subject.model.head
    proposal = head.propose(context)
    points = proposal.points if head.use_proposals else None
    order = skeleton_order(context.hops, proposal.scores, context.is_known)
    works = dict(
        cached=lambda: head.decode(context, points, order)[1].points,
        recomputed=lambda: decode_by_recomputing(head, context, points, order),
    )
    difference = (works['cached']() - works['recomputed']()).abs().max()
    times, turns = alternate(works, settings.steps, subject.device)
    return dict(
        cached_ms=summarise(times['cached']),
        recomputed_ms=summarise(times['recomputed']),
        recomputed_over_cached=ratio(times['recomputed'], times['cached']),
        largest_difference=difference.item(),
        order=turns,
    )


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
