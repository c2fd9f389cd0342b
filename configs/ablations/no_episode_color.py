"""Ablation: every category keeps its colours in training.

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/no_episode_color.py --amp
Result: PCK@0.2 94.5, PCK@0.05 85.5 on novel categories, seed 0, where the recipe
        reaches 98.0 and 92.0 (docs/results.md; run before this file existed, as the
        recipe of that day).
"""

_base_ = '../cape_synthetic.py'

train_pipeline = [
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),
    dict(type='LoadInstanceImage', reduce_to=(256, 256)),
    dict(type='WarpInstance', input_size=(256, 256)),
    dict(type='RandomPhotometric'),
    dict(type='PackInstance', hide_outside=True),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
