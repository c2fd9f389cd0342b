"""Ablation: the support image is not looked at; coordinates and graph only.

The ancestor never looked at it, in any revision. What is lost here is what the image is
worth.

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/no_support_image.py --amp
Result: PCK@0.2 79.6, PCK@0.05 64.4 on novel categories, seed 0, where the recipe
        reaches 98.0 and 92.0 (docs/results.md).
"""

_base_ = '../cape_synthetic.py'

find_unused_parameters = True  # the coarsest map has no other use
model = dict(keypoint_tokens=dict(look_at_image=False))
