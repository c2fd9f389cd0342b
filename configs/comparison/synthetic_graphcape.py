"""GraphCape's head in the frame of cape_synthetic.py.

Differs from synthetic_capeformer.py in the head alone.
Run:    python tools/train.py configs/comparison/synthetic_graphcape.py --amp
Result: not yet run.
"""

_base_ = './synthetic_capeformer.py'

model = dict(head=dict(type='GraphCapeHead'))
