"""CAPE on MP-100 split 1, one support image per episode. The recipe.

Data:   MP-100 under data/mp100, see docs/mp100.md.
Batch:  2 episodes x 4 accumulated = 8 effective; every episode 1 support, 2 queries.
Run:    python tools/train.py configs/cape_mp100.py
Test:   python tools/test.py configs/cape_mp100.py CHECKPOINT
Result: not yet run (the images of MP-100 have to be collected by hand).
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/mp100_episodes.py',
    './_base_/schedule_adamw.py',
    './_base_/cape_resnet50.py',
]
