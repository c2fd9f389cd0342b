"""CAPE on MP-100 split 1 with a ViT-S/14, weights of DINOv2 by way of timm.

Differs from cape_mp100.py in the backbone: 18 x 18 tokens of 14 pixels, those of blocks
4, 8 and 12 resampled to strides 8, 16 and 32.
Run:    python tools/train.py configs/backbones/cape_mp100_dinov2_vit_s.py
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='vit_small_patch14_dinov2.lvd142m',
        img_size=252,
        init_cfg=dict(type='Pretrained', checkpoint='timm'),
    ),
    neck=dict(in_channels=[384, 384, 384]),
)
