"""Batch normalisation folded into the convolutions before it, for predicting."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

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
    folded = deepcopy(backbone)
    _fold(folded)
    agree = all(
        (given - made).abs().max() <= TOLERANCE * given.abs().max()
        for given, made in zip(backbone(picture), folded(picture), strict=True)
    )
    return folded if agree else backbone


def _fold(module: nn.Module) -> None:
    """Fold the normalisations of a module into its convolutions, in place.

    MMCV's ``fuse_conv_bn`` would drop the activation that timm's normalisations end in.
    """
    last = None
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and last is not None:
            setattr(module, last, fuse_conv_bn_eval(getattr(module, last), child))
            setattr(module, name, getattr(child, 'act', nn.Identity()))
            last = None
        elif isinstance(child, nn.Conv2d):
            last = name
        else:
            _fold(child)
