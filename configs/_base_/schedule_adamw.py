"""AdamW with a physical batch of 2 episodes, accumulated 4 times: effective 8."""

optim_wrapper = dict(
    type='OptimWrapper',
    # few parameter groups, and a fused update where PyTorch has one for the device
    constructor='MergedGroupsConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    # 'backbone' also matches 'support_backbone'
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}),
    accumulative_counts=4,
    clip_grad=dict(max_norm=1.0, norm_type=2),
)
# by_epoch=False counts micro-batches: 1,000 of them are 250 updates
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=1000),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,  # T_max follows train_cfg.max_epochs
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
