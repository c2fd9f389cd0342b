"""MMPose's Swin transformer, able to read the weights of its authors."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmengine.runner import load_state_dict
from mmpose.registry import MODELS

from .weight_files import checkpoint_of, read_weights, strip_prefixes


@MODELS.register_module()
class SwinBackbone(BaseModule):
    """MMPose's ``SwinTransformer``, pretrained by a file of the Swin authors.

    They keep the weights under the key ``model``. MMPose 1.3 looks for ``state_dict``
    only, and its converter puts ``backbone.`` before every name: it logs all keys as
    missing and goes on with random weights.

    Args:
        init_cfg: None, or ``dict(type='Pretrained', checkpoint=...)`` with a file of
            the authors or of MMPose, for windows as large as these.
        **swin: arguments of MMPose's ``SwinTransformer``; by default a Swin-T.
    """

    def __init__(self, init_cfg: dict | None = None, **swin: Any) -> None:
        super().__init__(init_cfg)
        self.swin = MODELS.build(dict(type='SwinTransformer') | swin)

    def init_weights(self) -> None:
        """Initialise at random, or read the file that ``init_cfg`` names."""
        path = checkpoint_of(self.init_cfg)
        if path is None:
            super().init_weights()
            return
        weights = read_weights(path)
        if 'patch_embed.proj.weight' in weights:  # the authors' names
            # imported here: mmpose.models is slow, and most runs have no Swin
            from mmpose.models.backbones.utils.ckpt_convert import swin_converter

            weights = strip_prefixes(swin_converter(weights))
        logger = MMLogger.get_current_instance()
        load_state_dict(self.swin, weights, strict=False, logger=logger)
        self._is_init = True

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Maps of normalised RGB images (N, 3, H, W), finest first."""
        return self.swin(images)
