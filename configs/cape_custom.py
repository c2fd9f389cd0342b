"""CAPE on your own data in COCO-keypoint JSON.

Set data_root and three files here or on the command line; the files may share images.
The categories of the three should differ, since the point is to find keypoints on
categories that training never saw. Training can draw from several data sets by weight:
each has its own root, file and, if wished, categories; data_root and train_ann_file on
the command line mean the first.

Layout: data_root/annotations/*.json and data_root/images/<file_name of the JSON>
Run:    python tools/train.py configs/cape_custom.py --cfg-options data_root=MY/DATA \
            train_ann_file=annotations/train.json val_ann_file=annotations/val.json \
            test_ann_file=annotations/val.json
Start from a trained model instead of ImageNet: load_from=CHECKPOINT
model.backbone.init_cfg=None, if it is a model of this config; train another's on with
its own config and the options above. Without ImageNet weights: cape_custom_scratch.py.
Result: your own.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/episodes_256.py',
    './_base_/schedule_adamw.py',
    './_base_/cape_resnet50.py',
]

data_root = 'data/custom'
train_ann_file = 'annotations/train.json'
val_ann_file = 'annotations/val.json'
test_ann_file = 'annotations/test.json'

train_dataloader = dict(
    sampler=dict(
        num_queries=1,
        episodes_per_epoch=2000,
        skip_small_categories=True,  # with a warning that names them
    ),
    dataset=dict(
        type='MultiSourceEpisodeDataset',
        sources=[
            dict(name='own', weight=0.7, data_root=data_root, ann_file=train_ann_file),
            # dict(
            #     name='generated',  # tools/dataset_tools/make_synthetic.py
            #     weight=0.3,
            #     data_root='data/synthetic',
            #     ann_file='annotations/synthetic_split1_train.json',
            #     # categories=['a name', 'another'],  # default: all of the file
            # ),
        ],
    ),
)
val_dataloader = dict(
    sampler=dict(num_queries=5),
    dataset=dict(data_root=data_root, ann_file=val_ann_file),
)
test_dataloader = dict(
    sampler=dict(num_queries=5),
    dataset=dict(data_root=data_root, ann_file=test_ann_file),
)
train_cfg = dict(max_epochs=20)
