"""Ablation: a plain teacher-forced autoregressive decoder, without proposals.

The way of this system's ancestor: the decoder is told nothing but the keypoints and, in
training, the true past.

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/teacher_forced_ar.py --amp
Result: PCK@0.2 92.3, PCK@0.05 82.8 on novel categories, seed 0, where the recipe
        reaches 95.2 and 85.1 (docs/results.md).
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
