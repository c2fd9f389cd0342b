"""Validation of episodes."""

from __future__ import annotations

from mmengine.runner import ValLoop
from mmpose.registry import LOOPS

from .episode_loop import EpisodeLoopMixin


@LOOPS.register_module()
class EpisodeValLoop(EpisodeLoopMixin, ValLoop):
    """Validation loop, see :class:`EpisodeLoopMixin`."""

    stage = 'val'
