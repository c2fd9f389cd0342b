"""TensorBoard where it is installed, and one message where it is not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.visualization import TensorboardVisBackend
from mmpose.registry import VISBACKENDS

Scalar = int | float | torch.Tensor | np.ndarray
STAGES = ('train/', 'val/', 'test/')


def stage_of(scalars: Mapping) -> str:
    """'train' or 'val': only the scalars of a training step name an iteration."""
    return 'train' if any(key.endswith('iter') for key in scalars) else 'val'


@VISBACKENDS.register_module()
class OptionalTensorboardVisBackend(TensorboardVisBackend):
    """MMEngine's TensorBoard backend, except that it may be left uninstalled.

    Differs in three more points: the first scalar opens the file, so that a test
    leaves none; the config is not repeated (``config.py`` is in the same folder); and
    tags begin with ``train/`` or ``val/``, because values of both have the same name
    (``time``), but count iterations in one and epochs in the other.

    Args:
        save_dir: folder of the event file; the visualizer sets it.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir)
        self._is_installed: bool | None = None

    def _is_usable(self) -> bool:
        if self._is_installed is None:
            self._is_installed = find_spec('tensorboard') is not None
            if not self._is_installed:
                print_log(
                    'tensorboard is not installed, so there are no TensorBoard logs; '
                    'scalars.json has the same numbers. To have them: '
                    'pip install tensorboard',
                    'current',
                    logging.WARNING,
                )
        return self._is_installed

    def add_config(self, config: Config, **kwargs) -> None:
        """Nothing: ``config.py`` is in the same folder."""

    def add_image(self, name: str, image: np.ndarray, step: int = 0, **kwargs) -> None:
        """Record an RGB image, uint8 (H, W, 3)."""
        if self._is_usable():
            super().add_image(name, image, step, **kwargs)

    def add_scalar(self, name: str, value: Scalar, step: int = 0, **kwargs) -> None:
        """Record one value."""
        if self._is_usable():
            super().add_scalar(name, value, step, **kwargs)

    def add_scalars(
        self,
        scalar_dict: dict,
        step: int = 0,
        file_path: str | None = None,
        **kwargs,
    ) -> None:
        """Record the values of one step.

        Args:
            scalar_dict: values by name.
            step: iteration in training, epoch in validation.
            file_path: ignored, as by MMEngine's backend.
        """
        stage = stage_of(scalar_dict)
        for name, value in scalar_dict.items():
            tag = name if name.startswith(STAGES) else f'{stage}/{name}'
            self.add_scalar(tag, value, step)
