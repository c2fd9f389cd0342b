"""MP-100 split 1 with the official evaluation draw (docs/mp100.md)."""

_base_ = './episodes_256.py'

data_root = 'data/mp100'
train_ann_file = 'annotations/mp100_split1_train.json'
val_ann_file = 'annotations/mp100_split1_val.json'
test_ann_file = 'annotations/mp100_split1_test.json'

train_dataloader = dict(dataset=dict(data_root=data_root, ann_file=train_ann_file))
val_dataloader = dict(
    sampler=dict(
        num_queries=15,
        episodes_per_category=100,
        distinct_images=False,  # the official draw asks for different instances only
    ),
    dataset=dict(data_root=data_root, ann_file=val_ann_file),
)
test_dataloader = dict(
    sampler=dict(num_queries=15, episodes_per_category=200, distinct_images=False),
    dataset=dict(data_root=data_root, ann_file=test_ann_file),
)
