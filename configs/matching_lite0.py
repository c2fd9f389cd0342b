"""The training-free matcher on an EfficientNet-Lite0: the floor for cape_lite0.py.

It is printed beside every result of a LayoutHead, too.

Run:    python tools/test.py configs/matching_lite0.py
Result: PCK@0.2 61.6, PCK@0.05 37.3 on seven novel categories (docs/results.md).
"""

_base_ = './cape_lite0.py'

model = dict(
    head=dict(
        _delete_=True, type='MatchingHead', level_weights=(0.0, 1.0, 1.0, 0.0, 0.0)
    ),
    test_cfg=dict(mode='parallel'),
)
