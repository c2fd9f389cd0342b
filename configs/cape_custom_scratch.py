"""Your own data without ImageNet weights: nothing is downloaded.

A random backbone needs the full learning rate and a normalisation that works without
pretrained statistics: group normalisation. Expect it to need far more data than
cape_custom.py; load_from=CHECKPOINT of configs/cape_synthetic.py is a better start.

Run:    python tools/train.py configs/cape_custom_scratch.py --cfg-options \
            data_root=MY/DATA train_ann_file=annotations/train.json \
            val_ann_file=annotations/val.json test_ann_file=annotations/val.json
Result: your own.
"""

_base_ = './cape_custom.py'

model = dict(
    backbone=dict(
        norm_cfg=dict(type='AmpGN', num_groups=32), norm_eval=False, init_cfg=None
    )
)
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=dict(_delete_=True))
