"""Speed and peak memory beside MMEngine's ETA."""

from __future__ import annotations

import resource
import sys
import time
from collections import deque
from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

MIB = 1024**2


def peak_rss_mib() -> float:
    """Largest resident memory of this process so far (workers not included), MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MIB if sys.platform == 'darwin' else 1024)  # Linux counts in KiB


def count_episodes(data_batch: dict) -> int:
    """Number of episodes (of items, for other data sets) in a collated batch."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    return len(data_batch if samples is None else samples)


def count_queries(outputs: Sequence) -> int:
    """Number of predicted queries; an output without ``pred_instances`` counts as 1."""
    return sum(len(getattr(sample, 'pred_instances', (0,))) for sample in outputs)


class _Throughput:
    """Items over wall time: over the latest steps, and in total.

    Args:
        window: steps to smooth over.
    """

    def __init__(self, window: int) -> None:
        self._steps: deque[tuple[float, int]] = deque(maxlen=window + 1)
        self.num_items = 0
        self.seconds = 0.0

    def start(self) -> None:
        """Start, or go on after a pause that does not count."""
        self._steps.clear()
        self._steps.append((time.perf_counter(), 0))

    def step(self, num_items: int) -> float:
        """Count the items of one step; returns items per second over the window."""
        now = time.perf_counter()
        self.seconds += now - self._steps[-1][0]
        self.num_items += num_items
        self._steps.append((now, num_items))
        elapsed = max(now - self._steps[0][0], 1e-9)
        return sum(n for _, n in list(self._steps)[1:]) / elapsed

    @property
    def mean(self) -> float:
        """Items per second in total."""
        return self.num_items / max(self.seconds, 1e-9)


@HOOKS.register_module()
class ResourceHook(Hook):
    """Log episodes per second and peak memory, and a summary after training and test.

    The training line of ``LoggerHook`` gains ``episodes_per_sec`` and, on a GPU,
    ``peak_mem_mib`` (memory of tensors), on a CPU ``peak_rss_mib`` (resident memory of
    the process). The line of a finished validation or test gains ``queries_per_sec``
    and, on a GPU, ``peak_mem_mib``. The summary has the peak of every phase.

    Convention:
        - episodes per second include data loading, exclude validation, count all ranks
          and are smoothed over ``log_processor.window_size`` iterations
        - the GPU's peak is that of one phase (train, val, test) over the whole run, on
          this rank's device, model and optimizer state included; MMEngine's own
          ``memory`` restarts at every log line
        - the CPU's is that of the process since its start: no phase can be told apart
    """

    priority = 'NORMAL'  # before LoggerHook prints

    def __init__(self) -> None:
        self._peaks_mib: dict[str, float] = {}
        self._has_gpu = torch.cuda.is_available()

    def before_train(self, runner: Runner) -> None:
        """Start the clock of the run."""
        self._started = time.perf_counter()
        self._train = _Throughput(runner.log_processor.window_size)

    def before_train_epoch(self, runner: Runner) -> None:
        """Leave out the time since the last epoch (validation, checkpoint)."""
        self._train.start()
        self._reset_peak()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Publish speed and memory for the log line."""
        # Ranks have equal batches, so no communication is needed.
        num_episodes = count_episodes(data_batch) * get_world_size()
        speed = self._train.step(num_episodes)
        name, peak = self._measure_peak('train')
        hub = runner.message_hub
        hub.update_scalar('train/episodes_per_sec', round(speed, 2), resumed=False)
        hub.update_scalar(f'train/{name}', round(peak), resumed=False)

    def after_train(self, runner: Runner) -> None:
        """Log the summary."""
        total = time.strftime(
            '%H:%M:%S', time.gmtime(time.perf_counter() - self._started)
        )
        runner.logger.info(
            f'Training took {total}: {self._train.num_items} episodes at '
            f'{self._train.mean:.2f} episodes/s, {self._describe_peaks()}'
        )

    def after_test(self, runner: Runner) -> None:
        """Log the memory of a test."""
        runner.logger.info(f'Test: {self._describe_peaks()}')

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self._eval = _Throughput(window=1)
        self._eval.start()
        self._reset_peak()

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
        mode: str = 'train',
    ) -> None:
        self._eval.step(count_queries(outputs or ()))
        self._measure_peak(mode)

    def _after_epoch(self, runner: Runner, mode: str = 'train') -> None:
        if mode == 'train':
            return
        # Ranks may differ in their number of queries.
        num_queries = torch.tensor(float(self._eval.num_items))
        all_reduce(num_queries)
        speed = num_queries.item() / max(self._eval.seconds, 1e-9)
        hub = runner.message_hub
        hub.update_scalar(f'{mode}/queries_per_sec', round(speed, 2), resumed=False)
        name, peak = self._measure_peak(mode)
        if self._has_gpu:
            hub.update_scalar(f'{mode}/{name}', round(peak), resumed=False)

    def after_val(self, runner: Runner) -> None:
        """Leave a validation inside an iteration-based training out of its speed."""
        if hasattr(self, '_train'):
            self._train.start()
        self._reset_peak()

    def _reset_peak(self) -> None:
        """A phase begins: what the last one needed is not its own."""
        if self._has_gpu:
            torch.cuda.reset_peak_memory_stats()

    def _describe_peaks(self) -> str:
        if not self._has_gpu:
            return f'process peak {peak_rss_mib():.0f} MiB'
        peaks = [f'{mode} {mib:.0f} MiB' for mode, mib in self._peaks_mib.items()]
        return f'peak GPU memory: {", ".join(peaks) or "not measured"}'

    def _measure_peak(self, mode: str) -> tuple[str, float]:
        """Name and value (MiB) of a phase's peak; LoggerHook resets CUDA's own."""
        name = 'peak_mem_mib' if self._has_gpu else 'peak_rss_mib'
        if self._has_gpu:
            peak = torch.cuda.max_memory_allocated() / MIB
        else:
            peak = peak_rss_mib()
        self._peaks_mib[mode] = max(self._peaks_mib.get(mode, 0.0), peak)
        return name, self._peaks_mib[mode]
