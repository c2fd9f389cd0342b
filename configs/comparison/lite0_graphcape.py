"""GraphCape's head in the frame of cape_lite0.py, on real photographs.

Differs from lite0_capeformer.py in the head alone.
Run:    python tools/train.py configs/comparison/lite0_graphcape.py --cfg-options \\
            train_cfg.precision=bfloat16
Result: not yet run.
"""

_base_ = './lite0_capeformer.py'

model = dict(head=dict(type='GraphCapeHead'))
