"""CAPE on MP-100 split 1, five support images per episode.

Differs from cape_mp100.py only in num_shots.
Run:    python tools/train.py configs/cape_mp100_5shot.py
Result: not yet run.
"""

_base_ = './cape_mp100.py'

train_dataloader = dict(sampler=dict(num_shots=5))
val_dataloader = dict(sampler=dict(num_shots=5))
test_dataloader = dict(sampler=dict(num_shots=5))
