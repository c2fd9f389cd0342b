"""What a run says of itself: before the training, beside every line, at the end."""

from __future__ import annotations

import math
import platform
import resource
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import torch
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS
from tabulate import tabulate

from .. import trained_categories as data
from .accumulation_window_hook import get_accumulative_counts

MIB = 2**20


def peak_rss_mib() -> float:
    """Largest resident memory of this process so far (workers not included), MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MIB if sys.platform == 'darwin' else 1024)  # Linux counts in KiB


@HOOKS.register_module()
class TrainingBannerHook(Hook):
    """Log one block before training: model, data, batch, schedule, device.

    The *effective batch* is physical batch x accumulation x processes: the number of
    episodes whose mean gradient makes one optimizer update. Val categories that are
    also trained on get a warning. The trained categories are kept in the checkpoints,
    so that a test can warn as well; so are gaps in the training data.
    """

    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Log the block, and a warning where validation is not about new categories."""
        dataset, hub = runner.train_dataloader.dataset, runner.message_hub
        trained = data.remember_categories(hub, data.usable_categories(dataset))
        data.remember_gaps(hub, [data.describe_gaps(dataset)])
        rows = self.collect_rows(runner).items()
        lines = tabulate(rows, tablefmt='plain', disable_numparse=True).splitlines()
        rule = '-' * min(88, max(map(len, lines)))
        runner.logger.info('\n'.join(('', rule, *lines, rule)))
        if runner.val_loop is not None:
            evaluated = data.usable_categories(runner.val_dataloader.dataset)
            warning = data.describe_overlap(evaluated, trained, 'val')
            if warning is not None:
                runner.logger.warning(warning)

    def collect_rows(self, runner: Runner) -> dict[str, str]:
        """The block's rows, in order."""
        loader = runner.train_dataloader
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        sizes = [(p.numel() / 1e6, p.requires_grad) for p in model.parameters()]
        rows = {
            'training': str(runner.cfg.filename or runner.experiment_name),
            'work dir': runner.work_dir,
            'model': f'{type(model).__name__}: {sum(n for n, _ in sizes):.2f} M '
            f'parameters, {sum(n for n, on in sizes if on):.2f} M trainable',
            'train data': data.describe_data(loader),
        }
        if runner.val_loop is not None:
            rows['val data'] = data.describe_data(runner.val_dataloader)
        counts, ranks = get_accumulative_counts(runner.optim_wrapper), get_world_size()
        rows['batch'] = (
            f'{loader.batch_size} episodes x {counts} accumulated x {ranks} '
            f'process{"es" if ranks > 1 else ""} = '
            f'{(loader.batch_size or 0) * counts * ranks} episodes per update '
            f'(effective batch)'
        )
        num_iters = len(loader)  # the last window of an epoch may be shorter
        rows['schedule'] = (
            f'{runner.max_epochs} epochs x {num_iters} iterations = '
            f'{runner.max_epochs} x {math.ceil(num_iters / counts)} updates'
        )
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            updates = math.ceil(runner.max_iters / counts)
            rows['schedule'] = f'{runner.max_iters} iterations = {updates} updates'
        cpu = f'CPU {platform.machine()}, {torch.get_num_threads()} threads'
        cuda = torch.cuda
        rows['device'] = cuda.get_device_name() if cuda.is_available() else cpu
        return rows


@HOOKS.register_module()
class ResourceHook(Hook):
    """Log episodes per second and peak memory, and a summary after training and test.

    The training line of ``LoggerHook`` gains ``episodes_per_sec`` (by the times of
    ``IterTimerHook``: loading included, validation not; all ranks, smoothed over
    ``log_processor.window_size`` iterations) and ``peak_mem_mib`` (tensors on this GPU
    over the whole run; MMEngine's ``memory`` restarts at every line) or, on a CPU,
    ``peak_rss_mib``.
    """

    priority = 'NORMAL'  # before LoggerHook prints, after IterTimerHook

    def __init__(self) -> None:
        self._peak_mib = self._seconds = 0.0
        self._num_episodes = 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Publish speed and memory for the log line."""
        samples = data_batch['data_samples']
        num_episodes = len(samples) * get_world_size()  # ranks have equal batches
        hub = runner.message_hub
        times = hub.get_scalar('train/time')
        self._num_episodes += num_episodes
        self._seconds += times.current()
        mean = max(times.mean(runner.log_processor.window_size), 1e-9)
        speed = round(num_episodes / mean, 2)
        hub.update_scalar('train/episodes_per_sec', speed, resumed=False)
        name, peak = self._measure_peak()
        hub.update_scalar(f'train/{name}', peak, resumed=False)

    def after_train(self, runner: Runner) -> None:
        """Log the summary."""
        speed = self._num_episodes / max(self._seconds, 1e-9)
        runner.logger.info(
            f'Training took {timedelta(seconds=round(self._seconds))}: '
            f'{self._num_episodes} episodes at {speed:.2f} episodes/s, '
            f'{" ".join(map(str, self._measure_peak()))}'
        )

    def after_test(self, runner: Runner) -> None:
        """Log the memory of a test."""
        runner.logger.info(f'Test: {" ".join(map(str, self._measure_peak()))}')

    def _after_iter(
        self, runner, batch_idx, data_batch=None, outputs=None, mode='train'
    ) -> None:
        self._measure_peak()

    def _measure_peak(self) -> tuple[str, int]:
        """Name and value (MiB) of the run's peak; LoggerHook resets CUDA's own."""
        has_gpu = torch.cuda.is_available()
        now = torch.cuda.max_memory_allocated() / MIB if has_gpu else peak_rss_mib()
        self._peak_mib = max(self._peak_mib, now)
        return ('peak_mem_mib' if has_gpu else 'peak_rss_mib'), round(self._peak_mib)


NUM_SHOWN = 5
"""Categories that the log line names."""


@HOOKS.register_module()
class RedrawCountHook(Hook):
    """Count the instances that were redrawn within their category.

    A warning at the end of every epoch that had some says how many, why and in which
    categories, over all ranks. The training line has ``redrawn``, the count of this
    rank since the epoch's beginning.

    Convention:
        - the data set writes them into the data samples (``redrawn``), which is how
          they come out of the data loader's workers
        - an instance counts as often as it was drawn
        - an iteration-based training is one epoch
    """

    priority = 'NORMAL'  # before LoggerHook prints

    def before_train_epoch(self, runner: Runner) -> None:
        """Start counting."""
        self._reasons: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()
        self._num_episodes = 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Mapping | None = None,
        outputs: Mapping | None = None,
    ) -> None:
        """Look at the data samples of one batch."""
        samples = data_batch['data_samples']
        self._num_episodes += len(samples)
        for entry in getattr(samples, 'redrawn', ()):
            self._reasons[entry['reason']] += 1
            self._categories[entry['category']] += 1
        count = self._reasons.total()
        runner.message_hub.update_scalar('train/redrawn', count, resumed=False)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the counts of all ranks."""
        counts = (self._reasons, self._categories, self._num_episodes)
        parts = all_gather_object(counts)
        reasons, categories, num_episodes = (sum(p[1:], p[0]) for p in zip(*parts))
        if not reasons:
            return
        named = [f'{name} {count}' for name, count in categories.most_common(NUM_SHOWN)]
        more = ', ...' if len(categories) > NUM_SHOWN else ''
        why = ', '.join(f'{count} {why}' for why, count in reasons.most_common())
        runner.logger.warning(
            f'epoch {runner.epoch + 1}: {reasons.total()} instances of {num_episodes} '
            f'episodes were redrawn within their category: {why}; by category: '
            f'{", ".join(named)}{more}'
        )
