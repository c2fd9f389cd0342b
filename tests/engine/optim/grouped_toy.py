"""A toy model whose parts learn at different rates, and its optimizer."""

from __future__ import annotations

import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import Tensor, nn
from toy_runner import ToyModel

SLOW_BACKBONE = dict(custom_keys={'backbone': dict(lr_mult=0.1)})
OURS, MMENGINES = 'MergedGroupsConstructor', 'DefaultOptimWrapperConstructor'


class GroupedModel(ToyModel):
    """Fast, slow and fast tensors in the order of the model; float32."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.backbone = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Linear(3, 3))
        self.last = nn.Linear(3, 3)
        self.float()
        for weight in self.parameters():
            weight.data = 0.3 * torch.randn(weight.shape, generator=generator)

    def forward(
        self, x: Tensor, y: Tensor, data_samples: Tensor, mode: str = 'tensor'
    ) -> dict | list:
        hidden = self.last(self.backbone(x.float()))
        return super().forward(hidden, y.float(), data_samples, mode)


def build_wrapper(
    model: nn.Module,
    constructor: str = OURS,
    paramwise: dict | None = SLOW_BACKBONE,
    kind: str = 'AdamW',
    **options,
) -> OptimWrapper:
    """As a config does; ``options`` are the optimizer's."""
    optimizer = dict(type=kind, lr=0.1, weight_decay=0.01, **options)
    cfg = dict(constructor=constructor, optimizer=optimizer, paramwise_cfg=paramwise)
    return build_optim_wrapper(model, cfg)


def learn(model: nn.Module, wrapper: OptimWrapper, steps: int = 3) -> None:
    """Updates from gradients that are the same for every model of these shapes."""
    generator = torch.Generator().manual_seed(3)
    for _ in range(steps):
        for weight in model.parameters():
            weight.grad = torch.randn(weight.shape, generator=generator)
        wrapper.optimizer.step()


def names_of(model: nn.Module, wrapper: OptimWrapper) -> list[list[str]]:
    """The parameters of every group."""
    names = {id(weight): name for name, weight in model.named_parameters()}
    groups = wrapper.optimizer.param_groups
    return [[names[id(weight)] for weight in group['params']] for group in groups]
