"""GraphCape (Hirschorn and Avidan, ECCV 2024) on MP-100 split 1, ResNet-50.

The head of the paper on the backbone of CapeFormer, with its recipe; the paper's own
results are with SwinV2: graphcape_swinv2_t.py, graphcape_swinv2_s.py.

Differs from capeformer_r50.py in the head alone.
Run:    python tools/train.py configs/peers/graphcape_r50.py
Result: not yet run.
"""

_base_ = './capeformer_r50.py'

model = dict(
    head=dict(_delete_=True, type='GraphCapeHead', in_channels=2048, hidden_dims=2048)
)
