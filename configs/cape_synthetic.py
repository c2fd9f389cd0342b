"""CAPE on the generated data set at full size: 70 / 10 / 20 categories, 256 px.

From scratch, so with group normalisation: it keeps no statistics over the batch, and
accumulated gradients still equal a big batch's.

Data:   python tools/dataset_tools/make_synthetic.py --out data/synthetic \\
            --size standard
Run:    python tools/train.py configs/cape_synthetic.py --amp
Cost:   7 epochs x 200 updates of 64 one-shot episodes; 2 min 48 s on one H200.
Result: PCK@0.2 98.0 and 98.2, PCK@0.05 92.0 and 92.2 on novel categories (copying:
        40.7, 5.8); two seeds, as one batch of 64 (docs/results.md).
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/synthetic_episodes.py',
    './_base_/schedule_adamw.py',
    './_base_/cape_resnet50.py',
]

train_pipeline = [
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),
    dict(type='LoadInstanceImage', reduce_to=(256, 256)),
    dict(type='WarpInstance', input_size=(256, 256)),
    dict(type='RandomPhotometric'),
    # seventy categories can be learned by heart, those in every colour can't
    dict(type='EpisodeColor', prob=0.8),
    dict(type='PackInstance', hide_outside=True),
]

model = dict(
    backbone=dict(
        norm_cfg=dict(type='AmpGN', num_groups=32), norm_eval=False, init_cfg=None
    ),
    # on a GPU, steps replayed as one graph, for which batches need few shapes
    train_cfg=dict(cuda_graph=True),
)
train_dataloader = dict(
    batch_size=16,  # x 4 accumulated = 64
    num_workers=8,
    collate_fn=dict(keypoint_multiple=16),
    sampler=dict(num_queries=1, episodes_per_epoch=12800),
    dataset=dict(pipeline=train_pipeline),
)
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=dict(_delete_=True))
train_cfg = dict(max_epochs=7)
