"""MP-100, split 1, 1-shot: training episodes and the official evaluation draw."""

dataset_type = 'MP100EpisodeDataset'
data_root = 'data/mp100'

train_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),
    dict(type='WarpInstance', input_size=(256, 256)),
    dict(type='RandomPhotometric'),
    dict(type='PackInstance', hide_outside=True),
]
test_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='WarpInstance', input_size=(256, 256)),
    dict(type='PackInstance', hide_outside=False),
]

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(
        type='EpisodeSampler',
        mode='train',
        num_shots=1,
        num_queries=2,
        episodes_per_epoch=8000,
    ),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mp100_split1_train.json',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(
        type='EpisodeSampler',
        mode='eval',
        num_shots=1,
        num_queries=15,
        episodes_per_category=100,
        distinct_images=False,  # the official draw asks for different instances only
    ),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mp100_split1_val.json',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(
        type='EpisodeSampler',
        mode='eval',
        num_shots=1,
        num_queries=15,
        episodes_per_category=200,
        distinct_images=False,
    ),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mp100_split1_test.json',
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(type='EpisodePCK')
test_evaluator = val_evaluator
