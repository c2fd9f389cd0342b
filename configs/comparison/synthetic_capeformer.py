"""CapeFormer's head in the frame of cape_synthetic.py: what is the head worth?

The same backbone, data, augmentation, steps, batch and optimiser; the backbone's last
map is all that the head looks at, as published.

Differs from cape_synthetic.py in the model alone.
Run:    python tools/train.py configs/comparison/synthetic_capeformer.py --amp
        (all methods in turn: bash benchmarks/on_a_gpu.sh recipe peers)
Result: not yet run.
"""

_base_ = '../cape_synthetic.py'

model = dict(
    _delete_=True,
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
        norm_cfg=dict(type='AmpGN', num_groups=32),
        norm_eval=False,
    ),
    head=dict(type='CapeFormerHead', in_channels=2048),
    train_cfg=dict(cuda_graph=True),
    test_cfg=dict(mode='parallel'),
)
