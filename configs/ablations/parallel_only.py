"""Ablation: proposals only, no decoder at all.

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/parallel_only.py --amp
Result: not yet run.
"""

_base_ = '../cape_synthetic.py'

model = dict(
    head=dict(_delete_=True, type='ProposalHead'), test_cfg=dict(mode='parallel')
)
