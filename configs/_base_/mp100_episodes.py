"""MP-100 split 1 with the official evaluation draw (docs/mp100.md)."""

_base_ = './episodes_256.py'

data_root = 'data/mp100'
train_ann_file = 'annotations/mp100_split1_train.json'
val_ann_file = 'annotations/mp100_split1_val.json'
test_ann_file = 'annotations/mp100_split1_test.json'

# the official draw asks for different instances, not for different images
official = dict(num_queries=15, distinct_images=False)

train_dataloader = dict(dataset=dict(data_root=data_root, ann_file=train_ann_file))
val_dataloader = dict(
    sampler=dict(episodes_per_category=100, **official),
    dataset=dict(data_root=data_root, ann_file=val_ann_file),
)
test_dataloader = dict(
    sampler=dict(episodes_per_category=200, **official),
    dataset=dict(data_root=data_root, ann_file=test_ann_file),
)
