"""Debugging: one category, trained and tested on the same images.

Differs from cape_tiny_scratch.py in that only the first category of the training file
is drawn, without augmentation, and that validation and test read that file too. It must
reach PCK@0.05 > 0.99, as debug_single_image.py must, but here copying the support does
not: a model that stays near the floor will learn nothing from more data either.

Data:   python tools/dataset_tools/make_synthetic.py --out data/synthetic_tiny \\
            --size tiny
        or any other: --cfg-options data_root=... train_ann_file=... (val, test alike)
Run:    python tools/train.py configs/debug_single_category.py
Cost:   eight epochs of 480 episodes: 3 min 40 s on two CPU cores.
Result: PCK@0.05 48.8, 77.4, 93.9, 99.5, 99.9, 99.9, 100.0, 100.0 after the epochs
        (copying: 4.2; PCK@0.2 30.8); seed 0, on a CPU, commit 8b4f159.
"""

_base_ = './cape_tiny_scratch.py'

val_ann_file = 'annotations/synthetic_split1_train.json'
test_ann_file = 'annotations/synthetic_split1_train.json'
train_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='WarpInstance', input_size=(128, 128)),
    dict(type='PackInstance', hide_outside=True),
]

train_dataloader = dict(
    sampler=dict(max_categories=1, num_queries=2, episodes_per_epoch=480),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(
    sampler=dict(max_categories=1, episodes_per_category=20),
    dataset=dict(ann_file=val_ann_file),
)
test_dataloader = dict(
    sampler=dict(max_categories=1), dataset=dict(ann_file=test_ann_file)
)
optim_wrapper = dict(accumulative_counts=4)  # as the full model's recipe
train_cfg = dict(max_epochs=8)
