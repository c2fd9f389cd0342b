"""A toy model and data set that run in a real MMEngine Runner within milliseconds.

Tests under ``tests/engine`` get at this module through the fixture ``toy``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class ToyDataset(Dataset):
    """Linear regression samples with 3 inputs, always the same ones."""

    def __init__(self, length: int = 20) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(length, 3, generator=generator, dtype=torch.float64)
        # A growing scale makes micro-batch gradients differ strongly in size.
        self.y = 3.0 * torch.arange(length, dtype=torch.float64)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict:
        return dict(x=self.x[index], y=self.y[index], data_samples=index)


class ToyModel(BaseModel):
    """A linear layer, optionally behind a BatchNorm, in float64."""

    def __init__(self, norm: bool = False, norm_eval: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1).double()
        nn.init.constant_(self.linear.weight, 0.1)
        nn.init.zeros_(self.linear.bias)
        self.norm = nn.BatchNorm1d(3).double() if norm else nn.Identity()
        self.norm_eval = norm_eval

    def train(self, mode: bool = True) -> ToyModel:
        super().train(mode)
        if self.norm_eval:
            self.norm.eval()
        return self

    def forward(
        self, x: Tensor, y: Tensor, data_samples: Tensor, mode: str = 'tensor'
    ) -> dict | list:
        error = self.linear(self.norm(x)).squeeze(-1) - y
        if mode == 'loss':
            return dict(loss=error.square().mean())
        return list(error)


class ToyMetric(BaseMetric):
    """Mean absolute error."""

    def process(self, data_batch: dict, data_samples: list) -> None:
        self.results.extend(abs(float(error)) for error in data_samples)

    def compute_metrics(self, results: list) -> dict:
        return dict(error=sum(results) / len(results))


def make_loader(length: int = 20, batch_size: int = 2) -> DataLoader:
    """Batches in the order of the data set."""
    return DataLoader(ToyDataset(length), batch_size=batch_size)


def build_toy_runner(
    work_dir: Path,
    hooks: list,
    model: nn.Module | None = None,
    max_epochs: int = 1,
    accumulative_counts: int = 4,
    clip_grad: dict | None = None,
    validate: bool = False,
    optimizer: dict | None = None,
    **kwargs,
) -> Runner:
    """A runner over 10 batches of 2 toy samples."""
    evaluation = dict(val_dataloader=None, val_cfg=None, val_evaluator=None)
    if validate:
        evaluation = dict(
            val_dataloader=make_loader(4),
            val_cfg=dict(),
            val_evaluator=Evaluator(ToyMetric()),
        )
    optimizer = optimizer or dict(type='SGD', lr=1e-3)
    options = dict(
        model=model or ToyModel(),
        work_dir=str(work_dir),
        train_dataloader=make_loader(),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        optim_wrapper=dict(
            optimizer=optimizer,
            accumulative_counts=accumulative_counts,
            clip_grad=clip_grad,
        ),
        custom_hooks=hooks,
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        experiment_name=work_dir.name,
        default_scope='mmpose',
        **evaluation,
    )
    return Runner(**{**options, **kwargs})


def read_log(runner: Runner) -> str:
    """The text of a runner's log file."""
    return next(Path(runner.log_dir).glob('*.log')).read_text()
