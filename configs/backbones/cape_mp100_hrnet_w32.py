"""CAPE on MP-100 split 1 with an HRNet-w32, ImageNet weights as MMPose uses them.

Differs from cape_mp100.py in the backbone; the neck leaves out the finest of its four
maps (stride 4), whose last fusion therefore learns nothing.
Run:    python tools/train.py configs/backbones/cape_mp100_hrnet_w32.py
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='HRNet',
        extra=dict(
            stage1=dict(
                num_modules=1,
                num_branches=1,
                block='BOTTLENECK',
                num_blocks=(4,),
                num_channels=(64,),
            ),
            stage2=dict(
                num_modules=1,
                num_branches=2,
                block='BASIC',
                num_blocks=(4, 4),
                num_channels=(32, 64),
            ),
            stage3=dict(
                num_modules=4,
                num_branches=3,
                block='BASIC',
                num_blocks=(4, 4, 4),
                num_channels=(32, 64, 128),
            ),
            stage4=dict(
                num_modules=3,
                num_branches=4,
                block='BASIC',
                num_blocks=(4, 4, 4, 4),
                num_channels=(32, 64, 128, 256),
                multiscale_output=True,
            ),
        ),
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmpose/'
            'pretrain_models/hrnet_w32-36af842e.pth',
        ),
    ),
    neck=dict(in_channels=[32, 64, 128, 256], start_level=1),
)
find_unused_parameters = True
