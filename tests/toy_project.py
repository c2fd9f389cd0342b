"""A toy project on disk: a config file and the module with its parts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TOY_PARTS = """
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmpose.registry import DATA_SAMPLERS, DATASETS, METRICS, MODELS
from torch.utils.data import Dataset, SequentialSampler


@DATASETS.register_module(force=True)
class RunToyDataset(Dataset):
    def __init__(self, ann_file, data_root=''):
        self.x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return dict(x=self.x[index], data_samples=index)


@DATA_SAMPLERS.register_module(force=True)
class RunToySampler(SequentialSampler):
    def __init__(self, dataset, episodes_per_epoch=20, seed=None):
        super().__init__(dataset)


@MODELS.register_module(force=True)
class RunToyModel(BaseModel):
    def __init__(self, width=4):
        super().__init__()
        self.linear = torch.nn.Linear(3, width)

    def forward(self, x, data_samples, mode='tensor'):
        out = self.linear(torch.stack(list(x)))
        return dict(loss=out.square().mean()) if mode == 'loss' else list(out)


@METRICS.register_module(force=True)
class RunToyMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(float(x.detach().abs().sum()) for x in data_samples)

    def compute_metrics(self, results):
        names = ['PCK', 'PCK_valid', 'copy_support/PCK', 'copy_support/PCK_valid']
        values = {f'{n}@{t}': 0.5 for n in names for t in (.05, .1, .15, .2, .25)}
        others = ['mPCK5', 'mPCK4', 'AUC', 'NME', 'EPE']
        values.update({p + n: 0.5 for n in others for p in ('', 'copy_support/')})
        values['norm'] = sum(results) / len(results)
        values.update(num_pairs=len(results), num_pairs_dropped=0)
        values.update(num_categories=1, per_category={})
        return values
"""

TOY_CONFIG = """
custom_imports = dict(imports=['toy_parts_of_the_runner_test'])
default_scope = 'mmpose'
data_root = {root!r}
train_ann_file = 'train.json'
custom_hooks = [dict(type='AccumulationWindowHook'), dict(type='TrainingBannerHook'),
                dict(type='ResourceHook')]
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1),
                     logger=dict(type='LoggerHook', interval=5))
model = dict(type='RunToyModel')
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='RunToySampler'),
    dataset=dict(type='RunToyDataset', data_root=data_root, ann_file=train_ann_file))
val_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='RunToySampler'),
    dataset=dict(type='RunToyDataset', data_root=data_root, ann_file='val.json'))
test_dataloader = val_dataloader
val_evaluator = dict(type='RunToyMetric')
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', accumulative_counts=4,
                     optimizer=dict(type='SGD', lr=0.1))
randomness = dict(seed=0)
"""


@pytest.fixture
def toy_config(tmp_path, monkeypatch) -> Path:
    """A config that trains and tests a toy on two data files."""
    name = 'toy_parts_of_the_runner_test'
    (tmp_path / f'{name}.py').write_text(TOY_PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    root = tmp_path / 'data'
    (root / 'images').mkdir(parents=True)
    for file in ('train.json', 'val.json', 'other.json'):
        (root / file).write_text('{}')
    config = tmp_path / 'toy.py'
    config.write_text(TOY_CONFIG.format(root=str(root)))
    return config
