"""Speed, memory and size of a config's model, alone or beside another one's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.analysis import parameter_count
from tabulate import tabulate
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.flop_counter import FlopCounterMode

from ..apis.run_description import describe_environment
from ..engine.hooks.run_report_hooks import MIB, peak_rss_mib
from ..errors import ConfigError
from ..utils.atomic_write import try_file, write_text_atomically
from ..utils.value_checks import check_at_least, check_choice
from .random_model import SIZE_NAMES, RandomModel, prepare

LOWEST = dict(
    **dict(steps=1, rounds=1, warmup=0, batch_size=1, num_queries=1, num_keypoints=1),
    **dict(num_shots=1, input_size=32, seed=0),
)
"""Of the numbers in :class:`BenchmarkSettings`."""


@dataclass(frozen=True)
class BenchmarkSettings:
    """Size and length of a measurement; None takes the config's value.

    Attributes:
        mode: 'train' (forward, backward, update) or 'predict' (uint8 images to points).
        steps: batches of a timed turn.
        rounds: timed turns; of a comparison, of either config.
        warmup: batches before them.
        batch_size: episodes B.
        num_queries: Q of every episode.
        num_keypoints: K.
        num_shots: S.
        input_size: side of the square network input in pixels.
        amp: mixed precision.
        device: 'cpu', 'cuda' or 'cuda:<n>'.
        seed: of the weights and of the input.
        loader: take batches from the config's train_dataloader.

    Raises:
        ConfigError: a value that can't be measured.
    """

    mode: str = 'train'
    steps: int = 5
    rounds: int = 5
    warmup: int = 5
    batch_size: int | None = None
    num_queries: int | None = None
    num_keypoints: int | None = None
    num_shots: int | None = None
    input_size: int | None = None
    amp: bool = False
    device: str | None = None
    seed: int = 0
    loader: bool = False

    def __post_init__(self) -> None:
        check_choice('mode', self.mode, ('train', 'predict'))
        for name, least in LOWEST.items():
            if getattr(self, name) is not None:
                option = f'--{name.replace("_", "-")}'
                check_at_least(option, getattr(self, name), least)
        if self.loader and (self.num_keypoints or self.input_size):
            raise ConfigError('loader: the data decide about keypoints and size')


def benchmark(
    configs: Sequence[str | Path],
    settings: BenchmarkSettings,
    cfg_options: Mapping | None = None,
    out: str | Path | None = None,
) -> dict[str, Any]:
    """Measure a config, or two in turn, A B A B, and print the result.

    Convention:
        - a ratio is B's time per query over A's, of neighbouring turns: above 1, B is
          slower
        - memory on a GPU is that of tensors; on a CPU the process has one peak

    Args:
        configs: one config file, or two to compare.
        settings: what to measure.
        cfg_options: overrides of both configs.
        out: JSON file to write.

    Returns:
        ``settings``, ``environment``, under the name of each config (A and B) its
        ``sizes``, ``parameters``, ``gflops_per_query`` of a prediction, ``ms_per_step``
        and ``ms_per_query`` (each with quartiles), ``queries_per_s``,
        ``peak_memory_mib``, ``parts_ms`` and on a GPU ``gpu_busy``; of two,
        ``b_over_a``.

    Raises:
        CapeError: what settings, config or data make impossible.
    """
    if not 1 <= len(configs) <= 2:
        raise ConfigError(f'name one config, or two to compare; got {len(configs)}')
    try_file(out, 'out')
    records, models = {}, {}
    for name, config in zip('AB', configs):
        records[name], models[name] = _prepare(config, settings, cfg_options)
        models[name].num_episodes = models[name].num_queries = 0
    works = {
        name: lambda one=one: one.run(settings.steps) for name, one in models.items()
    }
    times = alternate(works, settings.rounds)
    per_query = {}
    for name, measured in models.items():
        queries = measured.num_queries / settings.rounds
        per_query[name] = [time / queries for time in times[name]]
        records[name] |= dict(
            ms_per_step=summarise([time / settings.steps for time in times[name]]),
            ms_per_query=summarise(per_query[name]),
            queries_per_s=1000 * measured.num_queries / sum(times[name]),
            episodes_per_s=1000 * measured.num_episodes / sum(times[name]),
        )
        records[name] |= profile_parts(measured, min(settings.steps, 10))
    record = dict(
        cfg_options=dict(cfg_options or {}),
        settings=asdict(settings),
        environment=describe_environment(models['A'].device),
        **records,
    )
    if len(records) == 2:
        record['b_over_a'] = ratio(per_query['B'], per_query['A'])
    print(format_record(record))
    if out is not None:
        write_text_atomically(Path(out), json.dumps(record, indent=2) + '\n')
        print(f'benchmark: {out}')
    return record


def _prepare(
    config: str | Path, settings: BenchmarkSettings, cfg_options: Mapping | None
) -> tuple[dict[str, Any], RandomModel]:
    """What is known before the timed turns, and the warm model."""
    on_gpu = torch.cuda.is_available()
    before = torch.cuda.memory_allocated() if on_gpu else 0
    measured, sizes = prepare(
        config,
        cfg_options,
        training=settings.mode == 'train',
        device=settings.device,
        amp=settings.amp,
        seed=settings.seed,
        loader=settings.loader,
        sizes={name: getattr(settings, name) for name in SIZE_NAMES},
    )
    counts = parameter_count(measured.model)
    parts = {k: counts[k] for k, _ in measured.model.named_children() if counts[k]}
    record = dict(config=str(config), sizes=sizes)
    record['parameters'] = dict(total=counts['']) | parts
    record['gflops_per_query'] = count_flops(measured) / 1e9
    if measured.device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        measured.run(settings.warmup + 1)
        peak = (torch.cuda.max_memory_allocated() - before) / MIB
    else:
        measured.run(settings.warmup)
        peak = peak_rss_mib()
    return record | dict(peak_memory_mib=peak), measured


def count_flops(measured: RandomModel) -> int:
    """Floating-point operations of a prediction per query, its support's included."""
    batch = next(measured.batches)
    model, was_training = measured.model, measured.model.training
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        data = model.eval().data_preprocessor(batch, False)
        model.head(model.encode(data['inputs']), mode=model.test_cfg['mode'])
    model.train(was_training)
    queries = sum(len(sample.query_slots) for sample in batch['data_samples'])
    return counter.get_total_flops() // queries


def alternate(
    works: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Time several things in turn, A B A B: a machine's mood hits all of them.

    Returns:
        Milliseconds by name, one per round; a GPU is waited for. (PyTorch's own timer
        would warm every turn up with two more.)
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            _wait()
            start = time.perf_counter()
            work()
            _wait()
            times[name].append(1000 * (time.perf_counter() - start))
    return times


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def summarise(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles and number of some measurements."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return dict(median=median, q1=low, q3=high, n=len(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Quotients of paired times, summarised."""
    return summarise([a / b for a, b in zip(above, below)])


def shown(summary: Mapping[str, float], digits: int = 2) -> str:
    """Median and quartiles of what :func:`summarise` gives."""
    median, low, high = (f'{summary[k]:.{digits}f}' for k in ('median', 'q1', 'q3'))
    return f'{median} ({low} to {high})'


@contextmanager
def _named_parts(model: torch.nn.Module):
    """Have every direct part of a model show up in a profile under its name."""
    handles = []
    for name, part in model.named_children():
        open_ranges: list[record_function] = []

        def begin(*_, name: str = name, ranges: list = open_ranges) -> None:
            ranges.append(record_function(f'part:{name}'))
            ranges[-1].__enter__()

        def end(*_, ranges: list = open_ranges) -> None:
            ranges.pop().__exit__(None, None, None)

        handles.append(part.register_forward_pre_hook(begin))
        handles.append(part.register_forward_hook(end))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def profile_parts(measured: RandomModel, steps: int) -> dict[str, Any]:
    """Where the time of a step goes.

    Returns:
        ``parts_ms``: milliseconds per step of every part that was called by itself (on
        a GPU, of its kernels; what replays a CUDA graph has no parts); on a GPU also
        ``gpu_busy``, the share of a step in which it computes or copies.
    """
    on_gpu = measured.device.type == 'cuda'
    activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * on_gpu]
    with profile(activities=activities) as profiler, _named_parts(measured.model):
        measured.run(steps)
        _wait()
    parts: dict[str, float] = {}
    for event in profiler.key_averages():
        if event.key.startswith('part:'):
            total = event.cpu_time_total
            if on_gpu:  # renamed in PyTorch 2.4
                total = getattr(event, 'device_time_total', None) or getattr(
                    event, 'cuda_time_total', 0.0
                )
            name = event.key.removeprefix('part:')
            parts[name] = max(parts.get(name, 0.0), total / 1000 / steps)
    return dict(parts_ms=parts) | (_busy_share(profiler.events()) if on_gpu else {})


def _busy_share(events: Sequence) -> dict[str, float]:
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in events
        if event.device_type == DeviceType.CUDA
        and not getattr(event, 'is_user_annotation', False)
    )
    if not spans:
        return {}
    busy, last = 0.0, spans[0][0]
    for start, end in spans:  # kernels of several streams may overlap
        busy += max(0.0, end - max(start, last))
        last = max(last, end)
    return dict(gpu_busy=busy / (last - spans[0][0]))


def format_record(record: Mapping[str, Any]) -> str:
    """The tables of a measurement."""
    place = record['environment']
    device = f'{place["device_name"]}, {place["threads"]} threads'
    lines = [f'{device}, torch {place["versions"]["torch"]}']
    for name in (name for name in 'AB' if name in record):
        one = record[name]
        sizes = ', '.join(f'{key} {value}' for key, value in one['sizes'].items())
        busy = f', GPU busy {one["gpu_busy"]:.0%}' if 'gpu_busy' in one else ''
        lines += [
            f'\n{name}: {one["config"]} ({sizes})',
            f'{shown(one["ms_per_step"])} ms per step, {one["episodes_per_s"]:.1f} '
            f'episodes/s, {one["queries_per_s"]:.1f} queries/s{busy}',
            f'peak memory {one["peak_memory_mib"]:,.0f} MiB, '
            f'{one["gflops_per_query"]:.2f} GFLOPs per predicted query',
        ]
        parts, times = one['parameters'], one['parts_ms']
        rows = [
            (part, parts.get(part, ''), f'{times[part]:.2f}' if part in times else '')
            for part in {**parts, **times}
        ]
        lines.append(tabulate(rows, ('part', 'parameters', 'ms'), intfmt=','))
    if 'b_over_a' in record:
        lines.append(f'\nB over A, time per query: {shown(record["b_over_a"])}')
    return '\n'.join(lines)
