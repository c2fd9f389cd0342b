"""Ablation: two separate ResNet-50 encoders for support and query.

The way of POMNet and of the ancestor.

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/two_encoders.py --amp
Result: not yet run.
"""

_base_ = '../cape_synthetic.py'

find_unused_parameters = True  # the query's coarsest map has no other use
model = dict(
    support_backbone=dict(
        type='ResNet',
        depth=50,
        out_indices=(1, 2, 3),
        norm_cfg=dict(type='AmpGN', num_groups=32),
        norm_eval=False,
    )
)
