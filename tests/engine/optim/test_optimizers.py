"""Few groups with the options of many, and a fused update where there is one."""

from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.utils import digit_version
from torch import Tensor, nn
from toy_runner import ToyModel

from cape_mm.engine.optim.optimizers import (
    CpuAmpOptimWrapper,
    can_fuse,
)
from cape_mm.errors import ConfigError

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


FUSES_ON_CPU = digit_version(torch.__version__) >= digit_version('2.4.0')
needs_fused_cpu = pytest.mark.skipif(
    not FUSES_ON_CPU, reason='fused updates on a CPU need PyTorch 2.4'
)
ADAMW = dict(type='AdamW', lr=0.1)


def options_by_name(model, wrapper):
    ours = ('params', 'fused')
    return {
        name: {key: value for key, value in group.items() if key not in ours}
        for names, group in zip(names_of(model, wrapper), wrapper.param_groups)
        for name in names
    }


def test_equal_groups_are_one_with_the_base_rate_first():
    model = GroupedModel()
    wrapper = build_wrapper(model)
    names = [name for name, _ in model.named_parameters()]
    slow = [name for name in names if name.startswith('backbone')]
    fast = [name for name in names if not name.startswith('backbone')]
    assert names == [*fast[:2], *slow, *fast[2:]]
    assert names_of(model, wrapper) == [fast, slow]
    rates = {key: values[0] for key, values in wrapper.get_lr().items()}
    assert rates == dict(lr=0.1, base_lr=0.1)


@pytest.mark.parametrize(
    ('paramwise', 'num_groups'),
    [
        (SLOW_BACKBONE, 2),
        (dict(norm_decay_mult=0.0), 2),
        (dict(bias_decay_mult=0.0, norm_decay_mult=0.5), 3),
        (dict(bypass_duplicate=True), 1),
        (dict(custom_keys={'backbone': dict(lr_mult=0.1, decay_mult=0.0)}), 2),
        (dict(**SLOW_BACKBONE, norm_decay_mult=0.0, bias_lr_mult=2.0), 3),
        ({}, 1),
        (None, 1),
    ],
)
def test_every_parameter_has_the_options_that_mmengine_gives_it(paramwise, num_groups):
    model = GroupedModel()
    wrapper = build_wrapper(model, paramwise=paramwise)
    assert len(wrapper.optimizer.param_groups) == num_groups
    mmengines = build_wrapper(model, MMENGINES, paramwise)
    assert options_by_name(model, wrapper) == options_by_name(model, mmengines)


def test_merging_changes_no_update_by_a_bit():
    models = [GroupedModel(), GroupedModel()]
    learn(models[0], build_wrapper(models[0], fused=False))
    learn(models[1], build_wrapper(models[1], MMENGINES, fused=False))
    for one, other in zip(models[0].parameters(), models[1].parameters()):
        assert torch.equal(one, other)


def test_a_parameter_in_two_places_is_updated_once_or_refused():
    model = GroupedModel()
    model.head = torch.nn.Sequential(model.last)
    with pytest.raises(ConfigError, match='bypass_duplicate=True'):
        build_wrapper(model)
    wrapper = build_wrapper(model, paramwise=dict(bypass_duplicate=True))
    assert sum(map(len, names_of(model, wrapper))) == len(list(model.parameters()))


@needs_fused_cpu
def test_adamw_is_fused_and_equal_to_rounding_and_repeatable():
    models = [GroupedModel() for _ in range(3)]
    wrappers = [build_wrapper(model) for model in models[:2]]
    plain = build_wrapper(models[2], fused=False)
    for model, wrapper in zip(models, [*wrappers, plain]):
        learn(model, wrapper, steps=20)
    groups = [*wrappers[0].param_groups, *plain.param_groups]
    is_fused = [group['fused'] for group in groups if 'lr_mult' in group]
    assert is_fused == [True, False]
    for one, same, other in zip(*(model.parameters() for model in models)):
        assert torch.equal(one, same)
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_pytorch_is_asked_whether_it_can():
    weight = torch.nn.Parameter(torch.ones(2))
    assert can_fuse(ADAMW, [weight]) is FUSES_ON_CPU
    assert can_fuse(dict(type=torch.optim.Adam), [weight]) is FUSES_ON_CPU
    frozen = torch.nn.Parameter(torch.ones(2, dtype=torch.int64), requires_grad=False)
    assert can_fuse(ADAMW, [weight, frozen]) is FUSES_ON_CPU
    complicated = torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))
    assert not can_fuse(ADAMW, [weight, complicated])
    assert not can_fuse({**ADAMW, 'differentiable': True}, [weight])
    assert not can_fuse(dict(type='SGD', lr=0.1), [weight])


def test_forward_is_bfloat16_and_weights_stay_float32():
    model = torch.nn.Linear(4, 1)
    before = model.weight.detach().clone()
    wrapper = CpuAmpOptimWrapper(
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2
    )
    for step in range(2):
        with wrapper.optim_context(model):
            output = model(torch.ones(3, 4))
        assert output.dtype == torch.bfloat16
        wrapper.update_params(output.float().mean())
        assert torch.equal(model.weight, before) == (step == 0)
    # d mean(x w) / dw = 1, averaged over two equal micro-batches
    torch.testing.assert_close(model.weight.detach(), before - 0.1)
