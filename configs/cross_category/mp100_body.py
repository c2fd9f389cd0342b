"""Cross-super-category: trained without the 46 bodies of MP-100, tested on them.

The three files of split 1 together hold the 100 categories; they are read as one data
set. Nothing is validated: every other category is trained on, so no data are left to
choose a checkpoint by, and the last epoch is tested. Which categories are meant says
cape_mm/datasets/splits.py; the peers have not published their lists, so their numbers
are a rough guide only.

Differs from cape_mp100.py as written here.
Run:    python tools/train.py configs/cross_category/mp100_body.py
Test:   python tools/test.py configs/cross_category/mp100_body.py CHECKPOINT
Result: not yet run.
"""

_base_ = '../cape_mp100.py'

subset = ('train', 'val', 'test')

train_dataloader = dict(dataset=dict(subset=subset, exclude_categories='body'))
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = dict(dataset=dict(subset=subset, include_categories='body'))
default_hooks = dict(checkpoint=dict(save_best=None))
