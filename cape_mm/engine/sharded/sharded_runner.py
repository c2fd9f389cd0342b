"""MMEngine's runner for strategies, with the right step in its checkpoints."""

from __future__ import annotations

from mmengine.registry import RUNNERS
from mmengine.runner import FlexibleRunner


@RUNNERS.register_module()
class ShardedRunner(FlexibleRunner):
    """``FlexibleRunner`` whose checkpoints keep the epoch that the hook says.

    MMEngine 0.10.7 counts the epoch up a second time when ``CheckpointHook`` saves
    again after a new best metric, so that a resume would leave an epoch out; its
    ``Runner`` has this mended.
    """

    def save_checkpoint(self, *args, meta: dict | None = None, **kwargs) -> None:
        """Save a checkpoint; all processes must call this.

        Args:
            *args: as for MMEngine's.
            meta: what to store; ``epoch`` and ``iter`` stay as given.
            **kwargs: as for MMEngine's.
        """
        meta = dict(meta or {})
        self.strategy.steps = {k: meta[k] for k in ('epoch', 'iter') if k in meta}
        super().save_checkpoint(*args, meta=meta, **kwargs)
