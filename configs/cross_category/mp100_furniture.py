"""Cross-super-category: trained without five kinds of furniture, tested on them.

Differs from mp100_body.py only in the group that is held out.
Run:    python tools/train.py configs/cross_category/mp100_furniture.py
Test:   python tools/test.py configs/cross_category/mp100_furniture.py CHECKPOINT
Result: not yet run.
"""

_base_ = './mp100_body.py'

train_dataloader = dict(dataset=dict(exclude_categories='furniture'))
test_dataloader = dict(dataset=dict(include_categories='furniture'))
