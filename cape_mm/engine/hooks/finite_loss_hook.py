"""Stop at the first loss that is no number, and say where."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from cape_mm.errors import TrainingDivergedError


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Check the losses now and then, and always before a checkpoint could be saved.

    Every check waits for the device, hence the interval; a NaN stays once it is in the
    weights, so it is not missed. Checks fall on the end of every epoch too, before the
    checkpoint hook.

    Args:
        interval: iterations between checks.

    Raises:
        TrainingDivergedError: a loss is NaN or infinite.
    """

    priority = 'VERY_HIGH'

    def __init__(self, interval: int = 10) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        self.interval = interval

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Mapping | None = None,
        outputs: Mapping | None = None,
    ) -> None:
        """Look at the losses of this iteration."""
        is_last = batch_idx + 1 == len(runner.train_dataloader)
        if outputs is None or not (is_last or (batch_idx + 1) % self.interval == 0):
            return
        broken = [
            name
            for name, value in outputs.items()
            if 'loss' in name and not torch.isfinite(torch.as_tensor(value)).all()
        ]
        if broken:
            raise TrainingDivergedError(
                f'epoch {runner.epoch + 1}, iteration {batch_idx + 1}: '
                f'{", ".join(broken)} became NaN or infinite {_batch_text(data_batch)}.'
                f' Seen at a check every {self.interval} iterations, so it may have '
                f'begun earlier. Lower optim_wrapper.optimizer.lr, or keep '
                f'optim_wrapper.clip_grad; the last checkpoint is unharmed.'
            )


def _batch_text(data_batch: Mapping | None) -> str:
    samples = (
        data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    )
    texts = [
        f'category {sample.category_id} ({sample.get("category_name", "")}): '
        f'annotations {[*_ids(sample.support_instances), *_ids(sample.gt_instances)]}'
        for sample in samples or ()
        if hasattr(sample, 'category_id')
    ]
    return f'on {"; ".join(texts)}' if texts else 'on this batch'


def _ids(instances) -> list[int]:
    return [int(ann_id) for ann_id in instances.ann_ids]
