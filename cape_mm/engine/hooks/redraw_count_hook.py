"""How much of the training data could not be loaded, epoch by epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

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
        is_mapping = isinstance(data_batch, Mapping)
        samples = data_batch.get('data_samples', ()) if is_mapping else ()
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
