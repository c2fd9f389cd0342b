"""The demo: the whole system on generated data, on a CPU, in minutes.

A ResNet-18 from scratch at 128 x 128; every other part is the full model's, narrower.
Run:    make demo
"""

_base_ = ['./_base_/default_runtime.py', './_base_/synthetic_episodes.py']

input_size = (128, 128)
train_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),
    dict(type='WarpInstance', input_size=input_size),
    dict(type='RandomPhotometric'),
    dict(type='PackInstance', hide_outside=True),
]
test_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='WarpInstance', input_size=input_size),
    dict(type='PackInstance', hide_outside=False),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

norm_cfg = dict(type='GN', num_groups=8)
model = dict(
    type='CAPE',
    data_preprocessor=dict(type='EpisodeDataPreprocessor'),
    backbone=dict(
        type='ResNet',
        depth=18,
        stem_channels=32,
        base_channels=32,
        out_indices=(0, 1, 2),
        strides=(1, 2, 2, 2),
        norm_cfg=norm_cfg,
    ),
    neck=dict(type='FPN', in_channels=[32, 64, 128], out_channels=96, num_outs=3),
    embed_dims=96,
    pose_graph_encoder=dict(num_layers=2, num_heads=4),
    joint_encoder=dict(num_layers=2, num_heads=4),
    head=dict(type='AutoregressiveHead', num_layers=2, num_heads=4),
)
