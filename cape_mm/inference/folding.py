"""Batch normalisation folded into the convolutions before it, for predicting."""

from __future__ import annotations

from copy import deepcopy

import torch
from mmcv.cnn.utils import fuse_conv_bn
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

TOLERANCE = 1e-3
"""Difference allowed in a feature map, of its largest value."""


@torch.no_grad()
def fold_batch_norms(backbone: nn.Module, image_size: tuple[int, int]) -> nn.Module:
    """Fold every normalisation with fixed statistics into its convolution.

    Which convolution comes before it is known from the order of the modules, so the
    result is compared with the original on one picture: a backbone that normalises
    before it convolves is handed back as it is.

    Args:
        backbone: in evaluation mode; maps (B, 3, H, W) to a tuple of feature maps. It
            is not changed.
        image_size: (H, W) of the pictures that it gets.

    Returns:
        a folded copy, or the backbone itself where there is nothing to fold.
    """
    if not any(isinstance(module, _BatchNorm) for module in backbone.modules()):
        return backbone
    weight = next(backbone.parameters())
    random = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 3, *image_size, generator=random).to(weight)
    folded = fuse_conv_bn(deepcopy(backbone))
    agree = all(
        (given - made).abs().max() <= TOLERANCE * given.abs().max()
        for given, made in zip(backbone(picture), folded(picture), strict=True)
    )
    return folded if agree else backbone
