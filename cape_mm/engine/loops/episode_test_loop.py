"""Test of episodes, which an interrupted one resumes from."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.runner import TestLoop
from mmpose.registry import LOOPS

from ...errors import ConfigError
from ...version import __version__
from .block_files import BlockFiles, hash_files, hash_weights, make_key
from .episode_loop import EpisodeLoopMixin

PARTS_FOLDER = 'unfinished_test'
"""Where finished categories are, in the work directory."""


@LOOPS.register_module()
class EpisodeTestLoop(EpisodeLoopMixin, TestLoop):
    """Test loop, see :class:`EpisodeLoopMixin`, that an interrupted test resumes from.

    Every finished category is written to ``resume_dir``, under a name made from all
    that its result depends on but the images: weights, model and data configs,
    episodes, annotations, precision. A category is computed again if an image that was
    missing is there now; other changes of images are not seen. A finished test removes
    its files.

    Args:
        *args: see :class:`EpisodeLoopMixin`.
        resume: take the categories that an interrupted test finished.
        resume_dir: where they are; None is ``unfinished_test`` in the work directory.
        save_parts: write finished categories.
        **kwargs: see :class:`EpisodeLoopMixin`.
    """

    stage = 'test'

    def __init__(
        self,
        *args,
        resume: bool = False,
        resume_dir: str | Path | None = None,
        save_parts: bool = True,
        **kwargs,
    ) -> None:
        if resume and not save_parts:
            raise ConfigError('EpisodeTestLoop: resume=True needs save_parts=True')
        self.resume = resume
        self.resume_dir = resume_dir
        self.save_parts = save_parts
        self._files: BlockFiles | None = None
        super().__init__(*args, **kwargs)

    def _open_files(self, model: torch.nn.Module) -> BlockFiles | None:
        if not self.save_parts:
            return None
        root = Path(self.resume_dir or Path(self.runner.work_dir) / PARTS_FOLDER)
        self._files = BlockFiles(root / make_key(self._describe_run(model)))
        found = self._files.folder.is_dir()
        if self.resume and is_main_process():
            self.runner.logger.info(
                f'test: going on from the finished categories in {self._files.folder}'
                if found
                else f'test: nothing finished of this checkpoint and these episodes in '
                f'{root}, starting from the beginning'
            )
        elif found and is_main_process():
            self.runner.logger.log(
                logging.WARNING,
                f'test: an interrupted test of this checkpoint is in '
                f'{self._files.folder}; it is started afresh (resume with --resume)',
            )
            self._files.remove()
        barrier()  # no process writes what the first one is about to remove
        return self._files

    def _describe_run(self, model: torch.nn.Module) -> dict:
        cfg = self.runner.cfg
        dataset = self.dataloader.dataset
        return dict(
            version=__version__,
            model=cfg.get('model'),
            test_cfg=getattr(model, 'test_cfg', None),
            weights=hash_weights(model),
            dataset=(cfg.get('test_dataloader') or {}).get('dataset'),
            annotations=hash_files(_annotation_files(dataset)),
            precision=[self.sizes.precision, self.limits.dtype],
        )

    def _clean_up(self) -> None:
        if self._files is not None and is_main_process():
            self._files.remove()
            if self.resume_dir is None:
                with contextlib.suppress(OSError):  # another test's parts are in it
                    self._files.folder.parent.rmdir()


def _annotation_files(dataset) -> Sequence[str]:
    return getattr(dataset, 'ann_files', None) or (dataset.ann_file,)
