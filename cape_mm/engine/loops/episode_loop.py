"""Evaluation of episodes without encoding an image twice."""

from __future__ import annotations

import torch
from mmengine.dist import get_dist_info
from mmengine.evaluator import Evaluator
from mmengine.hooks import IterTimerHook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from .block_files import BlockFiles
from .episode_blocks import (
    Block,
    group_categories,
    largest_episode,
    share_categories,
    split_into_blocks,
)
from .episode_evaluation import BatchOutput, EpisodeEvaluation, StageSizes
from .episode_images import EpisodeImages
from .feature_bank import BankLimits, find_capacity
from .progress import Progress
from .suitability import find_loadable, why_plain

LOADER_PROGRESS = (LoggerHook, IterTimerHook)
"""Hooks that count batches of the loader, which these loops do not use."""


class EpisodeLoopMixin:
    """What the two loops share; comes before MMEngine's loop among the bases.

    Category by category, every distinct instance passes the backbone once, and all
    episodes of the category are predicted from the features that were kept. Processes
    share the categories. The results are those of MMEngine's loop, which is also what
    runs, after one message, where features can't be kept: another kind of model or data
    set, or a random pipeline.

    Args:
        runner: the runner.
        dataloader: a loader of :class:`MP100EpisodeDataset` with an evaluating
            :class:`EpisodeSampler`, or its config. Its ``batch_size`` has no meaning
            here: see ``image_batch`` and ``pair_batch``.
        evaluator: the metrics, or their config.
        fp16: the same as ``precision='float16'``, as in MMEngine's loops.
        bank: arguments of :class:`BankLimits`: where features are kept, at most how
            many MiB, in which precision.
        image_batch: instances per batch of the backbone.
        pair_batch: queries decoded together; None is 64 on a CPU, 512 on a GPU.
        precision: 'float32', or autocast to 'bfloat16' or 'float16'.
        log_seconds: time between two lines of progress.

    Raises:
        ConfigError: an argument without meaning.
    """

    stage = ''

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        fp16: bool = False,
        bank: dict | None = None,
        image_batch: int = 32,
        pair_batch: int | None = None,
        precision: str | None = None,
        log_seconds: float = 10.0,
    ) -> None:
        precision = precision or ('float16' if fp16 else 'float32')
        self.sizes = StageSizes(image_batch, pair_batch, precision)
        self.limits = BankLimits(**(bank or {}))
        self.log_seconds = log_seconds
        self._said: set[str] = set()
        super().__init__(runner, dataloader, evaluator, fp16=precision == 'float16')

    def run(self) -> dict:
        """Evaluate; returns the metrics."""
        runner = self.runner
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        runner.model.eval()
        reason = why_plain(model, self.dataloader)
        if reason is not None:
            self._say_once(
                f'{type(self).__name__}: {reason}. Every episode is run on its own (in '
                f'{"float16" if self.fp16 else "float32"}): slower, the same result.'
            )
            return super().run()
        runner.call_hook(f'before_{self.stage}')
        runner.call_hook(f'before_{self.stage}_epoch')
        runner.model.eval()
        self._run_episodes(model)
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        self._clean_up()
        runner.call_hook(f'after_{self.stage}_epoch', metrics=metrics)
        runner.call_hook(f'after_{self.stage}')
        return metrics

    def _say_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self.runner.logger.warning(message)

    def _run_episodes(self, model: torch.nn.Module) -> None:
        device = next(model.parameters()).device
        bounds, dtype = self.limits.resolve(device), self.limits.torch_dtype
        evaluation = EpisodeEvaluation(
            model, self.dataloader, self.sizes, bounds, dtype
        )
        blocks = self._plan(evaluation)
        files = self._open_files(model)
        progress = Progress(
            self.runner.logger,
            self.stage,
            sum(block.num_pairs for block in blocks),
            len({block.category_id for block in blocks}),
            self.log_seconds,
        )
        for number, output in enumerate(evaluation.run(blocks, files)):
            self._emit(number, output)
            num_pairs = sum(
                len(sample.query_slots) + len(sample.dropped_pairs)
                for sample in output.samples
            )
            progress.step(output.block.category_id, num_pairs, output.is_stored)
        progress.finish(evaluation.describe())

    def _plan(self, evaluation: EpisodeEvaluation) -> list[Block]:
        """The blocks of this process, none larger than the bank."""
        groups = group_categories(self.dataloader.sampler.episodes)
        row_bytes = evaluation.measure_row(find_loadable(self.dataloader))
        capacity = find_capacity(evaluation.bounds, row_bytes, largest_episode(groups))
        own = share_categories(groups, *get_dist_info())
        return list(split_into_blocks(own, capacity))

    def _emit(self, number: int, output: BatchOutput) -> None:
        """Hand a batch to metrics and hooks."""
        episodes = {episode.index: episode for episode in output.block.episodes}
        asked = [episodes[sample.episode_index] for sample in output.samples]
        batch = dict(
            inputs=EpisodeImages.of_batch(asked, output.samples, output.image_of),
            data_samples=output.samples,
        )
        self._call_hooks('before', batch_idx=number, data_batch=batch)
        self.evaluator.process(data_samples=output.samples, data_batch=batch)
        self._call_hooks(
            'after', batch_idx=number, data_batch=batch, outputs=output.samples
        )

    def _call_hooks(self, when: str, **arguments) -> None:
        for hook in self.runner.hooks:
            if not isinstance(hook, LOADER_PROGRESS):
                call = getattr(hook, f'{when}_{self.stage}_iter', None)
                if call is not None:
                    call(self.runner, **arguments)

    def _open_files(self, model: torch.nn.Module) -> BlockFiles | None:
        return None

    def _clean_up(self) -> None:
        """Nothing is left behind."""
