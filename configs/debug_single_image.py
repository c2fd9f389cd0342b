"""Debugging: one image, which is the support and the query of every episode.

The quickest proof that a pipeline is wired right: labels, crop, heat maps and the way
back to the source image. It must reach PCK@0.05 > 0.99. Copying the support scores 100
here too, so that a model finds its points elsewhere is what debug_single_category.py
is for.

Data:   as debug_single_category.py
Run:    python tools/train.py configs/debug_single_image.py
Cost:   about 70 s on one CPU core.
Result: PCK@0.05 100.0 after either epoch, EPE 0.04 px at the end; seed 0, on a CPU,
        commit 0a20083.
"""

_base_ = './debug_single_category.py'

train_dataloader = dict(
    batch_size=1,  # all are the same
    sampler=dict(same_instance=True, num_queries=1, episodes_per_epoch=300),
)
val_dataloader = dict(
    sampler=dict(same_instance=True, num_queries=1, episodes_per_category=1)
)
test_dataloader = dict(
    sampler=dict(same_instance=True, num_queries=1, episodes_per_category=1)
)
train_cfg = dict(max_epochs=2)
