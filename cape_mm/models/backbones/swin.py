"""MMPose's Swin transformer, able to read the weights of its authors."""

from __future__ import annotations

from mmengine.logging import MMLogger
from mmengine.runner import load_state_dict
from mmpose.models.backbones import SwinTransformer
from mmpose.models.backbones.utils.ckpt_convert import swin_converter
from mmpose.registry import MODELS

from .weight_files import checkpoint_of, read_weights


@MODELS.register_module()
class SwinBackbone(SwinTransformer):
    """MMPose's ``SwinTransformer`` whose ``convert_weights`` finds the weights.

    The authors' files keep them under the key ``model``. MMPose 1.3 looks for
    ``state_dict`` only, converts the wrapper instead of its content, logs missing keys
    and goes on with random weights.

    Args:
        *args: as MMPose's ``SwinTransformer``.
        **kwargs: the same; with ``convert_weights=True`` the ``init_cfg`` may name a
            file of the Swin authors whose windows are as large as the config's.
    """

    def init_weights(self, pretrained: str | None = None) -> None:
        """Initialise at random, or read the file that ``init_cfg`` names."""
        path = checkpoint_of(self.init_cfg)
        if path is None or not self.convert_weights:
            super().init_weights(pretrained)
            return
        weights = swin_converter(read_weights(path))
        logger = MMLogger.get_current_instance()
        load_state_dict(self, weights, strict=False, logger=logger)
