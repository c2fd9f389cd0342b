"""Ablation: keypoints are decoded in random order, in training and in test.

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/random_order.py --amp
Result: not yet run.
"""

_base_ = '../cape_synthetic.py'

model = dict(head=dict(random_order_prob=1.0, test_order='random'))
