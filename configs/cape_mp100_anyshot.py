"""CAPE on MP-100 split 1: one model for any number of support images.

Differs from cape_mp100.py only in num_shots: every training episode draws 1 to 5.
Run:    python tools/train.py configs/cape_mp100_anyshot.py
Test:   the same checkpoint with 1, 3 and 5 shots:
        python tools/test.py configs/cape_mp100_anyshot.py CHECKPOINT \
            --cfg-options test_dataloader.sampler.num_shots=5
Result: not yet run.
"""

_base_ = './cape_mp100.py'

train_dataloader = dict(sampler=dict(num_shots=(1, 5)))
