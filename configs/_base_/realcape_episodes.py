"""Generated objects and real photographs; tested on categories of neither.

Both are in MP-100's layout: tools/dataset_tools/make_synthetic.py writes the generated
ones, data/realcape holds annotations/realcape_{train,val,test}.json and images/.
"""

_base_ = './episodes_256.py'

generated = dict(
    name='generated',
    weight=0.4,
    data_root='data/synthetic_tiny',
    ann_file='annotations/synthetic_split1_train.json',
)
photographs = dict(
    name='photographs',
    weight=0.6,
    data_root='data/realcape',
    ann_file='annotations/realcape_train.json',
)
novel = dict(
    data_root='data/realcape',
    ann_file=['annotations/realcape_val.json', 'annotations/realcape_test.json'],
)

train_dataloader = dict(
    sampler=dict(num_shots=(1, 2), num_queries=1, skip_small_categories=True),
    dataset=dict(type='MultiSourceEpisodeDataset', sources=[generated, photographs]),
)
val_dataloader = dict(
    sampler=dict(num_queries=5, episodes_per_category=20), dataset=novel
)
test_dataloader = dict(
    sampler=dict(num_queries=5, episodes_per_category=60, draw_seed=0), dataset=novel
)
