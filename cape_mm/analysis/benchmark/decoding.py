"""The head alone: its modes, and its cache against recomputing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from ...errors import ConfigError
from ...models.heads import AutoregressiveHead, EpisodeContext
from .made_input import make_batch
from .recomputing import time_recomputing
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
        and
        :func:`~cape_mm.analysis.benchmark.recomputing.time_recomputing`.

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

    with torch.no_grad(), subject.autocast():
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
        on a GPU ``graph``, the last three with the head as a CUDA graph; ``order`` of
        the turns.

    Raises:
        ConfigError: the head does not name its modes.
    """
    head = subject.model.head
    if not head.modes:
        raise ConfigError(f'--mode decode: {type(head).__name__} names no modes')
    works: dict[str, Callable[[], object]] = dict(encode=encode)
    for graph in (False, True) if subject.device.type == 'cuda' else (False,):
        for mode in head.modes:
            works[_label(mode, graph)] = functools.partial(
                head, context, mode=mode, cuda_graph=graph
            )
    alternate(works, settings.warmup, subject.device)
    times, order = alternate(works, settings.steps, subject.device)
    encoding = times.pop('encode')
    record = dict(encode_ms=summarise(encoding), order=order)
    eager = {mode: times[_label(mode, False)] for mode in head.modes}
    record |= compare_modes(eager, encoding)
    if len(times) > len(eager):
        graphed = {mode: times[_label(mode, True)] for mode in head.modes}
        record['graph'] = compare_modes(graphed, encoding)
    return record


def _label(mode: str, graph: bool) -> str:
    return f'{mode} (graph)' if graph else mode


def compare_modes(
    times: Mapping[str, Sequence[float]], encoding: Sequence[float]
) -> dict:
    """``ms`` of every mode and, where there is a parallel one, the ratios to it."""
    record = dict(ms={mode: summarise(values) for mode, values in times.items()})
    if BASE_MODE not in times:
        return record
    base = times[BASE_MODE]
    others = {mode: values for mode, values in times.items() if mode != BASE_MODE}
    whole = _add(encoding, base)
    return record | dict(
        over_parallel={mode: ratio(values, base) for mode, values in others.items()},
        prediction_over_parallel={
            mode: ratio(_add(encoding, values), whole)
            for mode, values in others.items()
        },
    )


def _add(values: Sequence[float], others: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(values, others)]
