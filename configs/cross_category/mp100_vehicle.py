"""Cross-super-category: trained without three kinds of vehicles, tested on them.

Differs from mp100_body.py only in the group that is held out.
Run:    python tools/train.py configs/cross_category/mp100_vehicle.py
Test:   python tools/test.py configs/cross_category/mp100_vehicle.py CHECKPOINT
Result: not yet run.
"""

_base_ = './mp100_body.py'

train_dataloader = dict(dataset=dict(exclude_categories='vehicle'))
test_dataloader = dict(dataset=dict(include_categories='vehicle'))
