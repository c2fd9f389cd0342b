"""Validation and test of episodes without encoding an image twice."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from itertools import islice

import torch
from mmengine.dist import get_dist_info
from mmengine.evaluator import Evaluator
from mmengine.hooks import IterTimerHook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, TestLoop, ValLoop
from mmpose.registry import LOOPS
from torch.utils.data import DataLoader

from ...datasets import MP100EpisodeDataset, collate_episodes
from ...datasets.episode_pools import dataset_meta
from ...datasets.instance_view import InstanceView
from ...errors import ConfigError
from ...structures import Episode
from ...utils.value_checks import check_at_least, check_choice
from .episode_groups import (
    count_pairs,
    group_categories,
    share_categories,
    split_categories,
)
from .episode_prediction import (
    EncodedInstances,
    EpisodeItem,
    InstanceBatch,
    batch_episodes,
    encode_instances,
    episode_images,
    plan_instances,
    predict_episodes,
)

PAIRS_PER_BATCH = dict(cpu=64, cuda=512)
"""Queries decoded together if nothing else is said: a GPU wants many."""
PRECISIONS = ('float32', 'bfloat16', 'float16')
LOADER_PROGRESS = (LoggerHook, IterTimerHook)
"""Hooks that count batches of the loader, which these loops do not use."""


class EpisodeLoopMixin:
    """What validation and test share; comes before MMEngine's loop among the bases.

    Category by category, every distinct instance passes the backbone once, and all
    episodes of the category are predicted from the features that were kept. Processes
    share the categories. The results are those of MMEngine's loops.

    Args:
        runner: the runner.
        dataloader: a loader of :class:`MP100EpisodeDataset` with a
            :class:`FixedEpisodeSampler`, or its config. Its ``batch_size`` has no
            meaning here: see ``image_batch`` and ``pair_batch``. A random pipeline
            shows an instance in one way to all its episodes.
        evaluator: the metrics, or their config.
        fp16: the same as ``precision='float16'``, as in MMEngine's loops.
        image_batch: instances per batch of the backbone.
        pair_batch: queries decoded together; None is 64 on a CPU, 512 on a GPU.
        max_instances: most instances whose features are kept at a time; a category with
            more is evaluated in parts, and an instance of two parts is encoded twice.
        precision: 'float32', or autocast to 'bfloat16' or 'float16'.
        log_seconds: time between two lines of progress.

    Raises:
        ConfigError: an argument without meaning; in ``run``, a model or data that only
            MMEngine's loops can evaluate.
    """

    stage = ''

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        fp16: bool = False,
        image_batch: int = 32,
        pair_batch: int | None = None,
        max_instances: int = 1024,
        precision: str | None = None,
        log_seconds: float = 10.0,
    ) -> None:
        precision = precision or ('float16' if fp16 else 'float32')
        check_at_least('image_batch', image_batch, 1)
        check_at_least('pair_batch', pair_batch or 1, 1)
        check_at_least('max_instances', max_instances, 1)
        check_choice('precision', precision, PRECISIONS)
        self.image_batch, self.pair_batch = image_batch, pair_batch
        self.max_instances = max_instances
        self.precision = precision
        self.log_seconds = log_seconds
        super().__init__(runner, dataloader, evaluator, fp16=precision == 'float16')
        # so that the metrics know of what the sampler left out
        loader = self.dataloader
        self.evaluator.dataset_meta = dataset_meta(loader.dataset, loader.sampler)

    @torch.no_grad()
    def run(self) -> dict:
        """Evaluate; returns the metrics."""
        runner = self.runner
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        check_fast(model, self.dataloader, self.stage)
        runner.call_hook(f'before_{self.stage}')
        runner.call_hook(f'before_{self.stage}_epoch')
        runner.model.eval()
        groups = group_categories(self.dataloader.sampler.episodes)
        own = share_categories(groups, *get_dist_info())
        parts = list(split_categories(own, self.max_instances))
        plans = [plan_instances(part, self.image_batch) for part in parts]
        loader = self.dataloader
        batches = iter(load_instances(loader, loader.dataset, plans))
        start = said = time.perf_counter()
        num_done = num_encoded = number = 0
        for part, plan in zip(parts, plans):
            for batch, encoded in self._predict(model, part, plan, batches):
                self._emit(number, batch, encoded)
                number += 1
                num_done += count_pairs([episode for episode, _ in batch])
                if time.perf_counter() - said >= self.log_seconds:
                    said = time.perf_counter()
                    self._log_progress(num_done, parts, said - start)
            num_encoded += len(encoded.known.labels)
        seconds = time.perf_counter() - start
        self.runner.logger.info(
            f'{self.stage}: {num_done:,} pairs in {seconds:.1f} s '
            f'({num_done / max(seconds, 1e-9):,.0f} pairs/s): '
            f'{num_encoded:,} instances through the backbone once each'
        )
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        runner.call_hook(f'after_{self.stage}_epoch', metrics=metrics)
        runner.call_hook(f'after_{self.stage}')
        return metrics

    def _predict(
        self,
        model: torch.nn.Module,
        episodes: list[Episode],
        plan: list[InstanceBatch],
        batches: Iterator[dict],
    ) -> Iterator[tuple[list[EpisodeItem], EncodedInstances]]:
        """Predicted batches of a part, whose plan the next ``batches`` follow."""
        device = next(model.parameters()).device
        with cast_to(self.precision, device):
            encoded = encode_instances(model, islice(batches, len(plan)), plan)
        samples = encoded.known.serve(self.dataloader.dataset, episodes)
        max_pairs = self.pair_batch or PAIRS_PER_BATCH.get(device.type, 512)
        for batch in batch_episodes(list(zip(episodes, samples)), max_pairs):
            with cast_to(self.precision, device):
                predict_episodes(model, encoded, batch)
            yield batch, encoded

    def _log_progress(
        self, num_done: int, parts: Sequence[list[Episode]], seconds: float
    ) -> None:
        total = sum(map(count_pairs, parts))
        speed = num_done / max(seconds, 1e-9)
        left = timedelta(seconds=round((total - num_done) / speed))
        self.runner.logger.info(
            f'{self.stage}: {num_done:,} of {total:,} pairs, {speed:,.0f} pairs/s, eta '
            f'{left}'
        )

    def _emit(
        self, number: int, batch: Sequence[EpisodeItem], encoded: EncodedInstances
    ) -> None:
        """Hand a batch to metrics and hooks."""
        samples = [sample for _, sample in batch]
        data = dict(inputs=episode_images(batch, encoded), data_samples=samples)
        hooks = [h for h in self.runner.hooks if not isinstance(h, LOADER_PROGRESS)]
        for hook in hooks:
            call = getattr(hook, f'before_{self.stage}_iter')
            call(self.runner, batch_idx=number, data_batch=data)
        self.evaluator.process(data_samples=samples, data_batch=data)
        for hook in hooks:
            call = getattr(hook, f'after_{self.stage}_iter')
            call(self.runner, batch_idx=number, data_batch=data, outputs=samples)


@LOOPS.register_module()
class EpisodeValLoop(EpisodeLoopMixin, ValLoop):
    """Validation loop, see :class:`EpisodeLoopMixin`."""

    stage = 'val'


@LOOPS.register_module()
class EpisodeTestLoop(EpisodeLoopMixin, TestLoop):
    """Test loop, see :class:`EpisodeLoopMixin`."""

    stage = 'test'


def cast_to(precision: str, device: torch.device) -> AbstractContextManager:
    """Autocast to one of ``PRECISIONS``; none for 'float32'."""
    dtype = getattr(torch, precision)
    if dtype is torch.float32:
        return torch.autocast(device.type, enabled=False)
    return torch.autocast(device.type, dtype)


def load_instances(
    given: DataLoader,
    dataset: MP100EpisodeDataset,
    plans: Iterable[Sequence[InstanceBatch]],
) -> DataLoader:
    """Batches of instances, plan after plan.

    The images of the next part are read while this one is computed.

    Args:
        given: loader of the episodes, whose settings are taken over.
        dataset: has the instances.
        plans: see :func:`plan_instances`.
    """
    return DataLoader(
        InstanceView(dataset),
        batch_sampler=[batch.ann_ids for plan in plans for batch in plan],
        num_workers=given.num_workers,
        collate_fn=collate_episodes,
        pin_memory=given.pin_memory and torch.cuda.is_available(),
        timeout=given.timeout,
        worker_init_fn=given.worker_init_fn,
        multiprocessing_context=given.multiprocessing_context,
        prefetch_factor=given.prefetch_factor,
    )


def check_fast(model: torch.nn.Module, dataloader: DataLoader, stage: str) -> None:
    """Refuse what can't be evaluated from kept features.

    Args:
        model: the bare model.
        dataloader: of the evaluation.
        stage: 'val' or 'test'.

    Raises:
        ConfigError: names the loop that can.
    """
    dataset, sampler = dataloader.dataset, dataloader.sampler
    reason = None
    if not hasattr(model, 'predict_from_features'):
        reason = f'{type(model).__name__} has no predict_from_features'
    elif not isinstance(dataset, MP100EpisodeDataset) or not dataset.test_mode:
        name = type(dataset).__name__
        reason = f'the data set ({name}) is no MP100EpisodeDataset with test_mode=True'
    elif getattr(dataset, 'templates', None):
        reason = 'templates stand in for the supports'
    elif not getattr(sampler, 'episodes', None):
        reason = f'{type(sampler).__name__} has no fixed list of episodes'
    if reason is not None:
        loop = stage.capitalize()
        raise ConfigError(
            f'Episode{loop}Loop encodes every instance once, which is not possible: '
            f"{reason}. Set {stage}_cfg.type='{loop}Loop': slower, the same result."
        )
