"""CapeFormer (Shi et al., CVPR 2023) on MP-100 split 1, ResNet-50, one support image.

The published recipe: batches of 16 pairs (here 4 x 4 accumulated), Adam 1e-5 for all
parameters, 1,000 batches of warm-up from a thousandth, 200 epochs, a tenth from epochs
160 and 180 on. Ours: the data and their augmentation, batch statistics frozen (so that
accumulated gradients equal a big batch's), 16,000 episodes an epoch. Published
checkpoints: docs/peers.md.

Data:   MP-100 under data/mp100, see docs/mp100.md.
Run:    python tools/train.py configs/peers/capeformer_r50.py
Test:   python tools/test.py configs/peers/capeformer_r50.py CHECKPOINT
Result: not yet run. Published: PCK@0.2 85.3, mean of five splits; 89.3 with 5 shots.
"""

_base_ = ['../_base_/default_runtime.py', '../_base_/mp100_episodes.py']

model = dict(
    type='SharedEncoderCAPE',
    data_preprocessor=dict(
        type='EpisodeDataPreprocessor',
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        out_indices=(3,),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    head=dict(type='CapeFormerHead', in_channels=2048, hidden_dims=2048),
    test_cfg=dict(mode='parallel'),
)
train_dataloader = dict(
    batch_size=4,
    sampler=dict(num_queries=1, episodes_per_epoch=16000),
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='MergedGroupsConstructor',
    optimizer=dict(type='Adam', lr=1e-5),
    accumulative_counts=4,
)
param_scheduler = [
    # by_epoch=False counts micro-batches
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=4000),
    dict(type='MultiStepLR', by_epoch=True, milestones=[160, 180], gamma=0.1),
]
train_cfg = dict(max_epochs=200, val_interval=10)
