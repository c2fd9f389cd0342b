"""CAPE on MP-100 split 1 with a ViT-S/16, ImageNet weights of DeiT.

Differs from cape_mp100.py in the backbone; the layer that makes its finest map has no
pretrained weights and learns at the full rate.
Run:    python tools/train.py configs/backbones/cape_mp100_vit_s.py
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TorchvisionViT',
        embed_dims=384,
        num_layers=12,
        num_heads=6,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://dl.fbaipublicfiles.com/deit/'
            'deit_small_patch16_224-cd65a155.pth',
        ),
    ),
    neck=dict(in_channels=[192, 384, 384]),
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'backbone.upsample': dict(lr_mult=1.0)})
)
