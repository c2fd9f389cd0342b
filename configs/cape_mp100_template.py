"""Zero-shot on MP-100 split 1: a keypoint template instead of support images.

Training looks at the coordinates and the graph of its supports, never at their images;
evaluation gets a canonical template per category from outside, so it needs no picture
of a new category. The queries are those of the 1-shot draw, pair for pair. Templates
are yours to make (format: cape_mm/datasets/templates.py); a file that says it was made
from annotations is refused.

Differs from cape_mp100.py as written here.
Data:   data/mp100/templates.json for the categories of val and test
Run:    python tools/train.py configs/cape_mp100_template.py
Test:   python tools/test.py configs/cape_mp100_template.py CHECKPOINT
Result: not yet run.
"""

_base_ = './cape_mp100.py'

template_file = 'templates.json'
find_unused_parameters = True  # the coarsest map has no other use
val_dataloader = dict(dataset=dict(template_file=template_file))
test_dataloader = dict(dataset=dict(template_file=template_file))
model = dict(keypoint_tokens=dict(look_at_image=False))
# an episode's supports are no instances that could be encoded once
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
