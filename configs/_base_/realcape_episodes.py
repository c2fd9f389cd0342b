"""Real photographs in MP-100's layout: seven categories to test on.

data/realcape holds annotations/realcape_{train,val,test}.json and images/.
"""

_base_ = './episodes_256.py'

train_dataloader = dict(
    sampler=dict(num_shots=(1, 2), num_queries=1, skip_small_categories=True),
)
test_dataloader = dict(
    sampler=dict(num_queries=5, episodes_per_category=60, draw_seed=0),
    dataset=dict(
        data_root='data/realcape',
        ann_file=['annotations/realcape_val.json', 'annotations/realcape_test.json'],
    ),
)
