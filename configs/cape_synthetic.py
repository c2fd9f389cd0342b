"""CAPE on the generated data set at full size: 70 / 10 / 20 categories, 256 px.

Everything is trained from scratch, so the backbone has group normalisation: it needs no
statistics over the batch, which keeps accumulated gradients equal to a big batch's.

Data:   python tools/make_synthetic.py --out data/synthetic --size standard
Run:    python tools/train.py configs/cape_synthetic.py --amp
Result: not yet run.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/synthetic_episodes.py',
    './_base_/schedule_adamw.py',
    './_base_/cape_resnet50.py',
]

model = dict(
    backbone=dict(
        norm_cfg=dict(type='GN', num_groups=32), norm_eval=False, init_cfg=None
    )
)
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    sampler=dict(num_queries=1, episodes_per_epoch=12800),
)
optim_wrapper = dict(
    optimizer=dict(lr=5e-4),
    paramwise_cfg=dict(_delete_=True),
    accumulative_counts=4,  # effective 64
)
train_cfg = dict(max_epochs=7)
