"""Run a measurement and say what came out: a table to read, JSON to keep."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

import torch

from ...errors import ConfigError
from ...utils.atomic_write import write_text_atomically
from ...utils.devices import check_device
from .compare import compare
from .decoding import measure_decoding
from .environment import describe_environment
from .evaluation import measure_evaluation
from .inferring import format_inferring, measure_inferring
from .kept_pairs import format_evaluation
from .loading import format_loading, measure_loading
from .settings import BenchmarkSettings
from .stages import measure_steps
from .subject import prepare
from .timing import PeakMemory, format_quotient


def benchmark(
    configs: Sequence[str | Path],
    settings: BenchmarkSettings,
    cfg_options: Mapping | None = None,
    out: str | Path | None = None,
) -> dict:
    """Measure a config, or two in turn, and print the result.

    Args:
        configs: one config file, or two to compare.
        settings: what to measure.
        cfg_options: overrides of both configs.
        out: JSON file to write as well.

    Returns:
        ``mode``, ``configs``, ``settings``, ``environment``, ``input`` (sizes), and the
        results of :func:`measure_steps`, :func:`measure_decoding`,
        :func:`measure_evaluation`, :func:`measure_inferring`, :func:`measure_loading`
        or :func:`compare`.
        On stdout as JSON, on stderr as a table.

    Raises:
        CapeError: what settings, config or data make impossible.
    """
    out = check_out(out)
    with redirect_stdout(sys.stderr):  # what builds a model may log to stdout
        results = measure(configs, settings, cfg_options)
    record = dict(
        mode=settings.mode,
        configs=[str(config) for config in configs],
        cfg_options=dict(cfg_options or {}),
        settings=asdict(settings),
        environment=describe_environment(check_device(settings.device)),
        **results,
    )
    text = json.dumps(record, indent=2)
    print('\n'.join(format_lines(record)), file=sys.stderr)
    print(text)
    if out is not None:
        write_text_atomically(out, text + '\n')
        print(f'benchmark: {out}', file=sys.stderr)
    return record


def check_out(out: str | Path | None) -> Path | None:
    """The file to write, its folder made.

    Raises:
        ConfigError: it is a folder, or its own folder can't be made.
    """
    if out is None:
        return None
    out = Path(out)
    if out.is_dir():
        raise ConfigError(f'--out {out} is a folder, expected a file name')
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f'--out {out}: folder {out.parent} can not be made ({error.strerror})'
        ) from error
    return out


def measure(
    configs: Sequence[str | Path],
    settings: BenchmarkSettings,
    cfg_options: Mapping | None,
) -> dict:
    """The results without what surrounds them; arguments as of :func:`benchmark`."""
    if not configs:
        raise ConfigError('no config to measure: name one, or two after --compare')
    if settings.compare or len(configs) > 1:
        return compare(configs, settings, cfg_options)
    if settings.mode == 'evaluate':
        return measure_evaluation(configs[0], settings, cfg_options)
    if settings.mode == 'infer':
        return measure_inferring(configs[0], settings, cfg_options)
    if settings.mode == 'load':
        return measure_loading(configs[0], settings, cfg_options)
    if settings.mode == 'decode':
        subject, results = measure_decoding(configs[0], settings, cfg_options)
        return dict(input=subject.sizes, **results)
    device = check_device(settings.device)
    if device.index is not None:
        torch.cuda.set_device(device)
    memory = PeakMemory(device)
    subject = prepare(configs[0], settings, cfg_options)
    results = measure_steps(subject, settings, memory)
    return dict(input=subject.sizes, **results)


def format_lines(record: Mapping) -> Iterator[str]:
    """The table of a record."""
    place = record['environment']
    yield (
        f'{place["device_name"]}, {place["threads"]} threads, '
        f'torch {place["versions"]["torch"]}'
    )
    if 'b_over_a' in record:
        for name in 'AB':
            yield f'{name}: {record[name]["config"]}'
            yield from format_steps(record[name])
        quotient = format_quotient(record['b_over_a'])
        yield f'B over A, time per {record["unit"]}: {quotient}'
    elif 'plain_over_bank' in record:
        yield from format_evaluation(record)
    elif 'inferring' in record:
        yield from format_inferring(record)
    elif 'plain_over_ours' in record:
        yield from format_loading(record)
    elif 'keypoints' in record:
        for part in record['keypoints']:
            yield from format_decoding(part)
    else:
        yield from format_steps(record)


def format_steps(results: Mapping) -> Iterator[str]:
    """Table of the stages, throughput and memory."""
    total = results['step_ms']['median']
    yield f'{"stage":12}{"median ms":>10}{"quartiles":>22}{"share":>8}'
    for name, times in [*results['stages_ms'].items(), ('step', results['step_ms'])]:
        spread = f'{times["q1"]:.2f} - {times["q3"]:.2f}'
        share = times['median'] / total
        yield f'{name:12}{times["median"]:10.2f}{spread:>22}{share:8.0%}'
    yield (
        f'{results["episodes_per_s"]:.1f} episodes/s, '
        f'{results["queries_per_s"]:.1f} queries/s'
    )
    memory = dict(results['peak_memory_mib'])
    kind = memory.pop('kind')
    phases = ', '.join(f'{name} {peak:.0f}' for name, peak in memory.items())
    yield f'peak memory ({kind}, MiB): {phases}'
    if 'gpu_busy' in results:
        yield f'GPU busy: {results["gpu_busy"]:.0%}'
    if 'over_backbone' in results:
        quotient = format_quotient(results['over_backbone']['ratio'])
        yield f'over backbone alone: {quotient}'


def format_decoding(part: Mapping) -> Iterator[str]:
    """Lines of one K."""
    encoding = part['encode_ms']['median']
    yield (
        f'K = {part["num_keypoints"]}, {part["num_queries"]} queries, '
        f'encoded in {encoding:.2f} ms'
    )
    yield from _mode_lines(part, '')
    if 'graph' in part:
        yield from _mode_lines(part['graph'], ' (graph)')
    if 'cache' in part:
        cache = part['cache']
        ways = {'': cache, ' (graph)': cache.get('graph')}
        ratios = ', '.join(
            f'{format_quotient(way["recomputed_over_cached"])}{label}'
            for label, way in ways.items()
            if way
        )
        yield (
            f'  recomputing over cache {ratios}, '
            f'largest difference {cache["largest_difference"]:.1e}'
        )


def _mode_lines(part: Mapping, label: str) -> Iterator[str]:
    for mode, times in part['ms'].items():
        text = f'  {mode + label:18}{times["median"]:10.2f} ms'
        if mode in part.get('over_parallel', ()):
            whole = part['prediction_over_parallel'][mode]
            text += f', over parallel {format_quotient(part["over_parallel"][mode])}'
            text += f'; whole prediction {format_quotient(whole)}'
        yield text
