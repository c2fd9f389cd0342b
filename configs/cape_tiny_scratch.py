"""An autoregressive model from scratch, small enough for two CPU cores.

A ResNet-18 of half width at 128 x 128; every other part is the full model's, narrower.
Group normalisation keeps accumulated gradients equal to a big batch's without
pretrained statistics.

Data:   python tools/dataset_tools/make_synthetic.py --out data/synthetic_tiny \\
            --size tiny
Run:    python tools/train.py configs/cape_tiny_scratch.py
Cost:   4,000 episodes; 5 min on two CPU cores.
Result: PCK@0.2 93.5, PCK@0.05 55.1 on 12 generated categories, 3,600 pairs (copying:
        41.4), seed 0.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/synthetic_episodes.py',
    './_base_/schedule_adamw.py',
    './_base_/cape_resnet50.py',
]

data_root = 'data/synthetic_tiny'
train_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),
    dict(type='WarpInstance', input_size=(128, 128)),
    dict(type='RandomPhotometric'),
    # seventy categories can be learned by heart, those in every colour can't
    dict(type='EpisodeColor', prob=0.8),
    dict(type='PackInstance', hide_outside=True),
]
test_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='WarpInstance', input_size=(128, 128)),
    dict(type='PackInstance', hide_outside=False),
]

train_dataloader = dict(
    num_workers=1,
    sampler=dict(num_queries=3, episodes_per_epoch=1000),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=1,
    sampler=dict(num_queries=10, episodes_per_category=4),
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = dict(
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)

model = dict(
    backbone=dict(
        depth=18,
        stem_channels=32,
        base_channels=32,
        norm_cfg=dict(type='GN', num_groups=8),
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[64, 128, 256], out_channels=96),
    embed_dims=96,
    pose_graph_encoder=dict(num_layers=2, num_heads=4),
    joint_encoder=dict(num_layers=2, num_heads=4),
    head=dict(num_layers=2, num_heads=4),
)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    accumulative_counts=2,  # minutes are few: twice as many updates are worth more
    paramwise_cfg=dict(_delete_=True),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.04, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=4)
