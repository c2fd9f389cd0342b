"""CAPE on MP-100 split 1 with a SwinV2-T, window 16, ImageNet weights of timm.

Differs from cape_mp100.py in the backbone, which is built for images of 256 x 256;
with others set model.backbone.img_size.
Run:    python tools/train.py configs/backbones/cape_mp100_swinv2_t.py
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='swinv2_tiny_window16_256.ms_in1k',
        init_cfg=dict(type='Pretrained', checkpoint='timm'),
    ),
    neck=dict(in_channels=[192, 384, 768]),
)
