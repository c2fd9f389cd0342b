"""CAPE on MP-100 split 1 with a ConvNeXt-T, ImageNet weights of timm.

Differs from cape_mp100.py in the backbone.
Run:    python tools/train.py configs/backbones/cape_mp100_convnext_t.py
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='convnext_tiny.fb_in1k',
        init_cfg=dict(type='Pretrained', checkpoint='timm'),
    ),
    neck=dict(in_channels=[192, 384, 768]),
)
