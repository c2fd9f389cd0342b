"""Ablation: a plain teacher-forced autoregressive decoder, without proposals.

The way of this system's ancestor: the decoder is told nothing but the keypoints and, in
training, the true past.

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/teacher_forced_ar.py --amp
Result: PCK@0.2 96.8, PCK@0.05 90.7 on novel categories, seed 0, where the recipe
        reaches 98.0 and 92.0 (docs/results.md).
"""

_base_ = '../cape_synthetic.py'

# what the proposals would have trained has no gradient
find_unused_parameters = True
model = dict(
    head=dict(
        use_proposals=False,
        prefix_mix=dict(truth_prob=1.0, noise_std=0.0, drop_prob=0.0),
        random_order_prob=0.0,
    )
)
