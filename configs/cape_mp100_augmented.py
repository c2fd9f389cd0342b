"""CAPE on MP-100 split 1 with occlusion and blur too.

Differs from cape_mp100.py only in the training pipeline: RandomOcclusion and
RandomGaussianBlur are added. Each augmentation is one line: leave it out, or give it
prob=0 on the command line, to see what it is worth.

Look:   python tools/dataset_tools/browse_episodes.py configs/cape_mp100_augmented.py \\
            --out pictures
Run:    python tools/train.py configs/cape_mp100_augmented.py
Ablate: python tools/train.py configs/cape_mp100_augmented.py --cfg-options \
            train_dataloader.dataset.pipeline.5.prob=0  # e.g. without RandomOcclusion
Result: not yet run.
"""

_base_ = './cape_mp100.py'

train_pipeline = [
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),  # all instances of an episode, or none
    dict(type='LoadInstanceImage', reduce_to=(256, 256)),
    dict(type='WarpInstance', input_size=(256, 256)),
    dict(type='RandomOcclusion', prob=0.3),
    dict(type='RandomPhotometric', prob=0.8),
    dict(type='RandomGaussianBlur', prob=0.15),
    dict(type='PackInstance', hide_outside=True),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
