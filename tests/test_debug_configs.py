"""The overfit modes: a model learns one image by heart, or the pipeline is broken."""

from __future__ import annotations

import json
from pathlib import Path

from tool_calls import REPO

SINGLE_IMAGE = REPO / 'configs/debug_single_image.py'
SMALL = (
    *('--cfg-options', 'model.embed_dims=32', 'model.neck.out_channels=32'),
    *('model.backbone.stem_channels=16', 'model.backbone.base_channels=16'),
    *('model.neck.in_channels=[32,64,128]', 'model.backbone.norm_cfg.num_groups=4'),
    *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
    *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
    *('train_dataloader.dataset.pipeline.2.input_size=(64,64)',),
    *('val_dataloader.dataset.pipeline.2.input_size=(64,64)',),
    # the same image every time: a larger batch says nothing more
    *('train_dataloader.batch_size=1', 'optim_wrapper.accumulative_counts=1'),
    *('train_dataloader.sampler.episodes_per_epoch=100', 'train_cfg.max_epochs=1'),
    *('optim_wrapper.optimizer.lr=0.003', 'param_scheduler.0.end=10'),
)
"""Options that make an overfit mode a matter of seconds."""


def read_scalars(work_dir: Path) -> list[dict]:
    """What the last run logged as numbers."""
    path = max(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_image_is_learnt_by_heart(call, synthetic_root, tmp_path):
    arguments = ('train', SINGLE_IMAGE, '--work-dir', tmp_path, *SMALL)
    outcome = call(*arguments, f'data_root={synthetic_root}')
    assert outcome.code == 0, outcome.err
    scored = [row for row in read_scalars(tmp_path) if 'PCK@0.05' in row]
    assert scored[-1]['PCK@0.05'] > 0.99
    assert scored[-1]['num_pairs'] == 1
