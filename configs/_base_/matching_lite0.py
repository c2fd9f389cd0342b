"""Matching with layout on a frozen EfficientNet-Lite0, 256 x 256 input.

Weights: ImageNet's, from the model in the box (Apache-2.0, docs/model_card.md).
"""

model = dict(
    type='MatchingCAPE',
    data_preprocessor=dict(
        type='EpisodeDataPreprocessor',
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='TimmBackbone',
        name='tf_efficientnet_lite0',
        out_strides=(8, 16, 32),
        extra_modules=(
            'blocks.3',
            'blocks.5',
        ),  # of strides 16 and 32, one stage before
        frozen_stages='all',
        init_cfg=dict(type='Pretrained', checkpoint='package:cape_mm'),
    ),
    head=dict(
        type='LayoutHead',
        level_weights=(0.0, 1.0, 1.0, 0.0, 0.0),
        prefix_mix=dict(truth_prob=0.5, noise_std=0.03, drop_prob=0.3),
    ),
    test_cfg=dict(mode='ar'),
    channels_last=True,
)
