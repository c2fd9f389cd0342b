"""CapeFormer's head in the frame of cape_lite0.py, tested on real photographs.

The same frozen backbone, of which it gets the last map, data, steps and batch;
transformers can't take the learning rate of gates, so that is the generated recipe's.

Differs from cape_lite0.py as written here.
Run:    python tools/train.py configs/comparison/lite0_capeformer.py --cfg-options \\
            train_cfg.precision=bfloat16
        (all methods in turn: bash benchmarks/on_a_gpu.sh peers_real)
Result: not yet run.
"""

_base_ = '../cape_lite0.py'

model = dict(
    _delete_=True,
    type='SharedEncoderCAPE',
    data_preprocessor=dict(
        type='EpisodeDataPreprocessor',
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='TimmBackbone',
        name='tf_efficientnet_lite0',
        out_strides=(32,),
        frozen_stages='all',
        init_cfg=dict(type='Pretrained', checkpoint='package:cape_mm'),
    ),
    head=dict(type='CapeFormerHead', in_channels=320),
    test_cfg=dict(mode='parallel'),
)
optim_wrapper = dict(
    optimizer=dict(lr=5e-4, weight_decay=1e-4), paramwise_cfg=dict(_delete_=True)
)
