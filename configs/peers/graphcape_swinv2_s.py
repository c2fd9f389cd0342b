"""GraphCape (Hirschorn and Avidan, ECCV 2024) on MP-100 split 1, SwinV2-S.

Differs from graphcape_swinv2_t.py in the backbone's depth.
Run:    python tools/train.py configs/peers/graphcape_swinv2_s.py
Test:   python tools/test.py configs/peers/graphcape_swinv2_s.py CHECKPOINT
Result: not yet run. Published: PCK@0.2 90.7, mean of five splits; 92.8 with 5 shots.
"""

_base_ = './graphcape_swinv2_t.py'

model = dict(backbone=dict(name='swinv2_small_window16_256.ms_in1k'))
