"""The generated data set: objects that no one has seen, in MP-100's layout."""

_base_ = './episodes_256.py'

data_root = 'data/synthetic'
train_ann_file = 'annotations/synthetic_split1_train.json'
val_ann_file = 'annotations/synthetic_split1_val.json'
test_ann_file = 'annotations/synthetic_split1_test.json'

train_dataloader = dict(dataset=dict(data_root=data_root, ann_file=train_ann_file))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file=val_ann_file))
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file=test_ann_file))
