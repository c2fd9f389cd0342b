"""What stands for modules that are absent: mmcv's compiled ops, pkg_resources."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from types import ModuleType

import torch


def fill_mmcv_ext(module: ModuleType) -> None:
    module.ms_deform_attn_forward = ms_deform_attn_forward
    module.ms_deform_attn_backward = ms_deform_attn_backward
    module.get_compiler_version = lambda: 'not compiled'
    module.get_compiling_cuda_version = lambda: 'not compiled'
    module.__getattr__ = missing_op


def missing_op(name: str) -> Callable:
    if name.startswith('__'):
        raise AttributeError(f'mmcv._ext (placeholder) has no attribute {name}')

    def op(*args, **kwargs):
        raise RuntimeError(
            f'The op {name!r} needs compiled mmcv, but mmcv-lite is installed. Use a '
            'model without it, or an environment with mmcv 2.1 built for its torch.'
        )

    return op


def ms_deform_attn_forward(
    value, spatial_shapes, level_start_index, locations, weights, im2col_step=64
):
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(
        value, spatial_shapes, locations, weights
    )


def ms_deform_attn_backward(
    value,
    spatial_shapes,
    level_start_index,
    locations,
    weights,
    grad_output,
    grad_value,
    grad_locations,
    grad_weights,
    im2col_step=64,
):
    """Fill the three ``grad_*`` tensors in place, as the compiled op does."""
    inputs = [
        tensor.detach().requires_grad_() for tensor in (value, locations, weights)
    ]
    with torch.enable_grad():
        output = ms_deform_attn_forward(
            inputs[0], spatial_shapes, level_start_index, inputs[1], inputs[2]
        )
    grads = torch.autograd.grad(output, inputs, grad_output)
    for target, grad in zip((grad_value, grad_locations, grad_weights), grads):
        target.copy_(grad)


class DistributionNotFound(Exception):
    """Stands for ``pkg_resources.DistributionNotFound``."""


class Distribution:
    """The part of ``pkg_resources.Distribution`` that MMEngine reads."""

    def __init__(self, name: str) -> None:
        try:
            self._distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise DistributionNotFound(name) from error
        self.project_name = self._distribution.metadata['Name']
        self.version = self._distribution.version
        self.location = str(self._distribution.locate_file(''))

    def has_metadata(self, name: str) -> bool:
        return self._distribution.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        text = self._distribution.read_text(name)
        if text is None:
            raise FileNotFoundError(f'{self.project_name} has no metadata file {name}')
        return text


def fill_pkg_resources(module: ModuleType) -> None:
    module.DistributionNotFound = DistributionNotFound
    module.get_distribution = Distribution
