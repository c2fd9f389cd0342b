"""CAPE on MP-100 split 1 with a ResNet-101, ImageNet weights of torchvision.

Differs from cape_mp100.py only in the backbone's depth.
Run:    python tools/train.py configs/backbones/cape_mp100_resnet101.py
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101'))
)
