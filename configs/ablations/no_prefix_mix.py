"""Ablation: the history of training is the exact truth (teacher forcing).

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/no_prefix_mix.py --amp
Result: not yet run.
"""

_base_ = '../cape_synthetic.py'

model = dict(head=dict(prefix_mix=dict(truth_prob=1.0, noise_std=0.0, drop_prob=0.0)))
