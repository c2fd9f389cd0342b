"""The CAPE model with a ResNet-50 for support and query images, 256 x 256 input."""

model = dict(
    type='CAPE',
    data_preprocessor=dict(
        type='EpisodeDataPreprocessor',
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        out_indices=(1, 2, 3),
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(type='FPN', in_channels=[512, 1024, 2048], out_channels=256, num_outs=3),
    embed_dims=256,
    keypoint_tokens=dict(num_scales=3, sigma=1.0),
    pose_graph_encoder=dict(num_layers=3, num_heads=8, max_hops=4),
    joint_encoder=dict(num_layers=3, num_heads=8),
    head=dict(
        type='AutoregressiveHead',
        num_layers=3,
        num_heads=8,
        max_hops=4,
        window_radius=2,
        heatmap_sigma=1.0,
        prefix_mix=dict(truth_prob=0.5, noise_std=0.02, drop_prob=0.15),
        random_order_prob=0.5,
    ),
    test_cfg=dict(mode='ar'),
)
