"""The training-free matcher on an EfficientNet-Lite0: the floor for cape_lite0.py.

Run:    python tools/test.py configs/matching_lite0.py none
Result: not yet run.
"""

_base_ = './cape_lite0.py'

model = dict(
    head=dict(
        _delete_=True, type='MatchingHead', level_weights=(0.0, 1.0, 1.0, 0.0, 0.0)
    ),
    test_cfg=dict(mode='parallel'),
)
