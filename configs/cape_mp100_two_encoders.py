"""CAPE on MP-100 split 1, a ResNet-50 of its own for the support images.

As POMNet does; cape_mp100.py shares one between support and query. The query side has
no use for the coarsest map of its neck, which therefore learns nothing.
Run:    python tools/train.py configs/cape_mp100_two_encoders.py
Result: not yet run.
"""

_base_ = './cape_mp100.py'

model = dict(
    support_backbone=dict(
        type='ResNet',
        depth=50,
        out_indices=(1, 2, 3),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    )
)
find_unused_parameters = True
