"""AdamW for the few parameters of a LayoutHead."""

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='MergedGroupsConstructor',
    optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.0),
    # gates and temperatures take large steps, the two small networks smaller ones
    paramwise_cfg=dict(
        custom_keys={
            'pointer': dict(lr_mult=0.15),
            'confidence': dict(lr_mult=0.3),
        }
    ),
    accumulative_counts=1,
    clip_grad=dict(max_norm=2.0, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, begin=0, end=240),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
