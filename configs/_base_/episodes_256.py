"""1-shot episodes at 256 x 256; the data's own base file names root and files."""

train_pipeline = [
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),
    # after the crop is known: a large picture is decoded as small as that allows
    dict(type='LoadInstanceImage', reduce_to=(256, 256)),
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
    pin_memory=True,  # copies to the GPU need not be waited for
    drop_last=True,
    collate_fn=dict(type='collate_episodes'),
    sampler=dict(
        type='EpisodeSampler',
        num_shots=1,
        num_queries=2,
        episodes_per_epoch=8000,
    ),
    dataset=dict(type='MP100EpisodeDataset', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    collate_fn=dict(type='collate_episodes'),
    sampler=dict(
        type='FixedEpisodeSampler',
        num_shots=1,
        num_queries=15,
        episodes_per_category=20,
    ),
    dataset=dict(type='MP100EpisodeDataset', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='EpisodePCK')
test_evaluator = val_evaluator
