"""CAPE on MP-100 split 1 with a Swin-T, ImageNet weights of its authors.

Differs from cape_mp100.py only in the backbone.
Run:    python tools/train.py configs/backbones/cape_mp100_swin_t.py
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinBackbone',
        out_indices=(1, 2, 3),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/SwinTransformer/storage/releases/'
            'download/v1.0.0/swin_tiny_patch4_window7_224.pth',
        ),
    ),
    neck=dict(in_channels=[192, 384, 768]),
)
