"""Ablation: attention does not know the skeleton.

The order of decoding still follows it.

Differs from cape_synthetic.py as written here.
Run:    python tools/train.py configs/ablations/no_graph_bias.py --amp
Result: not yet run.
"""

_base_ = '../cape_synthetic.py'

model = dict(pose_graph_encoder=dict(max_hops=0), head=dict(max_hops=0))
