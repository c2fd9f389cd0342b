"""MP-100 with the official evaluation draw (docs/mp100.md).

Another split: --cfg-options split=2 reaches all three loaders.
Files of your own: --cfg-options test_ann_file=annotations/mine.json, the same for train
and val.
"""

_base_ = './episodes_256.py'

data_root = 'data/mp100'
split = 1

train_dataloader = dict(dataset=dict(data_root=data_root, split=split, subset='train'))
val_dataloader = dict(
    sampler=dict(
        num_queries=15,
        episodes_per_category=100,
        distinct_images=False,  # the official draw asks for different instances only
    ),
    dataset=dict(data_root=data_root, split=split, subset='val'),
)
test_dataloader = dict(
    sampler=dict(num_queries=15, episodes_per_category=200, distinct_images=False),
    dataset=dict(data_root=data_root, split=split, subset='test'),
)
