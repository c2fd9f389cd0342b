"""One block that says what is about to be trained."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import AmpOptimWrapper, OptimWrapperDict
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpose.registry import HOOKS
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ...datasets.multi_source_dataset import sources_of
from ..trained_categories import (
    Categories,
    describe_gaps,
    describe_overlap,
    remember_categories,
    remember_gaps,
    usable_categories,
)
from .accumulation_window_hook import get_accumulative_counts


def format_rows(title: str, rows: Mapping[str, str]) -> str:
    """Lay out a title and ``name  value`` rows between two rules."""
    width = max(len(name) for name in rows)
    lines = [f'{name:<{width}}  {value}' for name, value in rows.items()]
    rule = '-' * min(88, max(len(line) for line in [title, *lines]))
    return '\n'.join(['', rule, title, rule, *lines, rule])


def describe_model(model: nn.Module) -> str:
    """Class and parameter counts, e.g. ``CAPE: 31.21 M parameters, all trainable``."""
    inner = model.module if is_model_wrapper(model) else model
    total = sum(p.numel() for p in inner.parameters())
    trainable = sum(p.numel() for p in inner.parameters() if p.requires_grad)
    share = 'all' if trainable == total else f'{trainable / 1e6:.2f} M'
    return f'{type(inner).__name__}: {total / 1e6:.2f} M parameters, {share} trainable'


def describe_data(dataloader: DataLoader) -> str:
    """Class, categories and usable instances of a data set, shots and queries."""
    dataset, sampler = dataloader.dataset, dataloader.sampler
    parts = [describe_size(source.dataset) for source in sources_of(dataset)]
    if parts[1:]:
        parts = [f'{len(parts)} sources']
    for name in ('num_shots', 'num_queries'):
        if hasattr(sampler, name):
            parts.append(f'{name} {format_count(getattr(sampler, name))}')
    return f'{type(dataset).__name__}: ' + ', '.join(parts)


def describe_size(dataset: Dataset) -> str:
    """Categories and usable instances of a data set."""
    categories = getattr(dataset, 'categories', None)
    number = getattr(dataset, 'num_instances', len(dataset))
    if categories is None:
        return f'{number:,} items'
    return f'{len(categories)} categories, {number:,} usable instances'


def describe_sources(dataset: Dataset) -> dict[str, str]:
    """A row for each of several data sources: its share of the episodes, its size."""
    sources = sources_of(dataset)
    total = sum(source.weight for source in sources)
    return {
        f'  {source.name}': f'{source.weight / total:.0%} of the episodes: '
        f'{describe_size(source.dataset)}'
        for source in sources
        if source.name
    }


def format_count(value: int | Sequence[int]) -> str:
    """A number, or the range that a number is drawn from: ``1 to 5``."""
    return ' to '.join(map(str, value)) if isinstance(value, Sequence) else str(value)


def describe_novelty(evaluated: Categories, trained: Categories) -> str:
    """Number of categories, and how many of them training sees."""
    num_trained = len(evaluated.keys() & trained.keys())
    return f'{len(evaluated)}, {num_trained or "none"} of them trained on'


def describe_batch(runner: Runner) -> str:
    """Physical batch, accumulation, world size and their product."""
    batch_size = runner.train_dataloader.batch_size
    if batch_size is None:
        return 'set by a batch sampler'
    counts, world_size = get_accumulative_counts(runner.optim_wrapper), get_world_size()
    return (
        f'{batch_size} episodes x {counts} accumulated x {world_size} '
        f'process{"es" if world_size > 1 else ""} = '
        f'{batch_size * counts * world_size} episodes per update (effective batch)'
    )


def describe_schedule(runner: Runner) -> str:
    """Length of the training in epochs, iterations and optimizer updates."""
    counts = get_accumulative_counts(runner.optim_wrapper)
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        updates = math.ceil(runner.max_iters / counts)
        return f'{runner.max_iters} iterations = {updates} updates'
    num_iters = len(runner.train_dataloader)
    updates = math.ceil(num_iters / counts)  # the last window may be shorter
    text = (
        f'{runner.max_epochs} epochs x {num_iters} iterations = '
        f'{runner.max_epochs} x {updates} updates'
    )
    return text if not runner.epoch else f'{text}, resumed after epoch {runner.epoch}'


def describe_optimizer(runner: Runner) -> str:
    """Optimizer, learning rates before any warm-up, clipping."""
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, OptimWrapperDict):
        return f'{len(wrapper.optim_wrappers)} optimizers'
    sizes: dict[float, int] = {}
    for group in wrapper.param_groups:
        lr = group.get('initial_lr', group['lr'])
        sizes[lr] = sizes.get(lr, 0) + sum(p.numel() for p in group['params'])
    rates = ', '.join(
        f'lr {lr:g} ({size / 1e6:.2f} M)' for lr, size in sorted(sizes.items())[::-1]
    )
    text = f'{type(wrapper.optimizer).__name__}, {rates}'
    clip = wrapper.clip_grad_kwargs
    return f'{text}, clipped {dict(clip)}' if clip else text


def describe_precision(runner: Runner) -> str:
    """Number format of the forward pass."""
    name = type(runner.optim_wrapper).__name__
    if name == 'CpuAmpOptimWrapper':
        return 'bfloat16 autocast on the CPU'
    if name == 'AmpOptimWrapper':
        dtype = runner.optim_wrapper.cast_dtype or torch.float16
        scaling = ' with loss scaling' if has_loss_scaling(runner.optim_wrapper) else ''
        return f'{str(dtype).removeprefix("torch.")} autocast{scaling}'
    return 'float32, no autocast'


def has_loss_scaling(wrapper: AmpOptimWrapper) -> bool:
    """Whether gradients are scaled: dynamically, or by a constant other than 1."""
    scaler = wrapper.loss_scaler
    is_dynamic = wrapper._scale_update_param is None
    return scaler.is_enabled() and (is_dynamic or scaler.get_scale() != 1.0)


def describe_device() -> str:
    """Name of the device, or the CPU and its number of threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'CPU {platform.machine()}, {torch.get_num_threads()} threads'


@HOOKS.register_module()
class TrainingBannerHook(Hook):
    """Log one block before training: model, data, batch, schedule, device.

    The *effective batch* is physical batch x accumulation x processes: the number of
    episodes whose mean gradient makes one optimizer update.

    Val categories that are also trained on get a warning. The trained categories are
    kept in the checkpoints, so that a test can warn as well; so are gaps in the
    training data, which ``metrics.json`` then names.
    """

    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Log the block, and a warning where validation is not about new categories."""
        trained = usable_categories(runner.train_dataloader.dataset)
        if trained:
            trained = remember_categories(runner.message_hub, trained)
        gaps = describe_gaps(runner.train_dataloader.dataset)
        remember_gaps(runner.message_hub, [gaps])
        rows = self.collect_rows(runner, trained)
        runner.logger.info(format_rows('Training', rows))
        if runner.val_loop is not None:
            evaluated = usable_categories(runner.val_dataloader.dataset)
            warning = describe_overlap(evaluated, trained, 'val')
            if warning is not None:
                runner.logger.warning(warning)

    def collect_rows(self, runner: Runner, trained: Categories) -> dict[str, str]:
        """The block's rows, in order."""
        rows = {
            'config': str(runner.cfg.filename or runner.experiment_name),
            'work dir': runner.work_dir,
            'model': describe_model(runner.model),
            'train data': describe_data(runner.train_dataloader),
            **describe_sources(runner.train_dataloader.dataset),
        }
        if runner.val_loop is not None:
            rows['val data'] = describe_data(runner.val_dataloader)
            evaluated = usable_categories(runner.val_dataloader.dataset)
            if evaluated and trained:
                rows['val categories'] = describe_novelty(evaluated, trained)
        rows['batch'] = describe_batch(runner)
        rows['schedule'] = describe_schedule(runner)
        rows['optimizer'] = describe_optimizer(runner)
        rows['precision'] = describe_precision(runner)
        rows['device'] = describe_device()
        return rows
