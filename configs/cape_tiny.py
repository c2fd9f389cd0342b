"""The demo: the model in the box trained in small, on two CPU cores, in minutes.

Differs from cape_lite0.py in the number of instances and of updates, and in that it is
tested on generated objects, too.

Data:   python tools/dataset_tools/make_synthetic.py --out data/synthetic_tiny \\
            --size tiny
Run:    make demo
"""

_base_ = './cape_lite0.py'

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(num_shots=1, episodes_per_epoch=960, max_categories=48),
)
val_dataloader = dict(num_workers=1, sampler=dict(episodes_per_category=2))
test_dataloader = dict(
    num_workers=1,
    sampler=dict(num_queries=15, episodes_per_category=10),
    dataset=dict(
        data_root='data/synthetic_tiny',
        ann_file='annotations/synthetic_split1_test.json',
    ),
)
train_cfg = dict(max_epochs=4, val_interval=4, max_instances=4)
optim_wrapper = dict(optimizer=dict(lr=2e-2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=24),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(logger=dict(interval=20))
