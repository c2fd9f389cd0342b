"""Clocks and memory, for CPU and GPU alike."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from ...engine.hooks.resource_hook import MIB, peak_rss_mib


def summarise(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles, smallest and number of some measurements."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return dict(median=median, q1=low, q3=high, min=min(values), n=len(values))


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was told to."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def time_ms(work: Callable[[], object], device: torch.device) -> float:
    """Wall time of a call, until the device has finished it, in ms."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return 1000 * (time.perf_counter() - start)


def alternate(
    works: Mapping[str, Callable[[], object]], rounds: int, device: torch.device
) -> tuple[dict[str, list[float]], list[str]]:
    """Time several things in turn, A B A B: a machine's mood hits all of them.

    Args:
        works: what to time, by name.
        rounds: turns of each.
        device: where they run.

    Returns:
        Times in ms by name, one per round, and the names in the order of the turns.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    order = []
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(time_ms(work, device))
            order.append(name)
    return times, order


def ratio(above: Sequence[float], below: Sequence[float]) -> dict:
    """Quotients of paired times, and their summary."""
    pairs = [a / b for a, b in zip(above, below)]
    return dict(**summarise(pairs), pairs=pairs)


def format_quotient(summary: Mapping) -> str:
    """Median and quartiles of what :func:`ratio` gives."""
    return f'{summary["median"]:.2f} ({summary["q1"]:.2f} - {summary["q3"]:.2f})'


class Stopwatch:
    """Times the stages of steps without waiting for the device between them.

    A stage lasts from the mark before it to its own. On a GPU the marks are events in
    its queue: time in which the GPU waits for the CPU counts for the stage that it
    waits for. What is recorded as a CUDA graph has no marks within: the whole graph
    counts for the stage that ends after it.

    Args:
        device: where the work runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == 'cuda'
        self._steps: list[list[tuple[str, float | torch.cuda.Event]]] = []

    def begin_step(self) -> None:
        """Start a step."""
        self._steps.append([('', self._now())])

    def mark(self, stage: str) -> None:
        """End a stage of the step."""
        # an event that becomes part of a graph can't be read afterwards
        if not (self._on_gpu and torch.cuda.is_current_stream_capturing()):
            self._steps[-1].append((stage, self._now()))

    def read(self) -> list[dict[str, float]]:
        """Milliseconds of every stage, per step; a stage marked twice is summed."""
        if self._on_gpu:
            torch.cuda.synchronize()
        steps = []
        for marks in self._steps:
            stages: Counter[str] = Counter()
            for (_, start), (stage, end) in zip(marks, marks[1:]):
                stages[stage] += self._elapsed(start, end)
            steps.append(dict(stages))
        return steps

    def _now(self) -> float | torch.cuda.Event:
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _elapsed(self, start, end) -> float:
        return start.elapsed_time(end) if self._on_gpu else 1000 * (end - start)


class PeakMemory:
    """Peak memory of the phases of a measurement, MiB.

    Convention:
        - on a GPU the memory of tensors, less what was there before the first phase;
          every phase has a peak of its own. The working memory of a CUDA graph is seen
          in the phase that records it, the warm-up, not in those that replay it
        - on a CPU the resident memory of the whole process (loader workers not
          included), which never falls: a phase shows the peak so far

    Args:
        device: whose memory.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == 'cuda'
        self.phases: dict[str, float | str] = {
            'kind': 'allocated' if self._on_gpu else 'rss'
        }
        self._before = torch.cuda.memory_allocated() if self._on_gpu else 0
        self._reset()

    def end_phase(self, name: str) -> None:
        """Note the peak since the last phase's end."""
        if self._on_gpu:
            peak = (torch.cuda.max_memory_allocated() - self._before) / MIB
        else:
            peak = peak_rss_mib()
        self.phases[name] = peak
        self._reset()

    def _reset(self) -> None:
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats()


def kernel_ms(work: Callable[[], object], repeats: int) -> float:
    """Time that a GPU computes or copies per call, waits left out, in ms."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        for _ in range(repeats):
            work()
        torch.cuda.synchronize()
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == DeviceType.CUDA
        and not getattr(event, 'is_user_annotation', False)
    )
    busy_us, last = 0.0, float('-inf')
    for start, end in spans:  # kernels of several streams may overlap
        busy_us += max(0.0, end - max(start, last))
        last = max(last, end)
    return busy_us / 1000 / repeats
