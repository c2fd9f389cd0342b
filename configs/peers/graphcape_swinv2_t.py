"""GraphCape (Hirschorn and Avidan, ECCV 2024) on MP-100 split 1, SwinV2-T.

Differs from graphcape_r50.py in the backbone, whose last map is normalised and resized
to 16 x 16, and in the width of the head's networks. Published checkpoints hold tables
that timm computes, so ours do too.
Run:    python tools/train.py configs/peers/graphcape_swinv2_t.py
Test:   python tools/test.py configs/peers/graphcape_swinv2_t.py CHECKPOINT
Result: not yet run. Published: PCK@0.2 87.2, mean of five splits; 91.2 with 5 shots.
"""

_base_ = './graphcape_r50.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        name='swinv2_tiny_window16_256.ms_in1k',
        out_indices=(3,),
        out_strides=(16,),
        final_norm=True,
        kept_buffers=('relative_coords_table', 'relative_position_index', 'attn_mask'),
        init_cfg=dict(type='Pretrained', checkpoint='timm'),
    ),
    head=dict(in_channels=768, hidden_dims=768),
)
