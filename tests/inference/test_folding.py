"""Folding batch normalisation changes the number of operations, nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from predict_cases import make_picture, marked, write_checkpoint
from tiny_cape import tiny_backbone
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cape_mm.inference import CapeInferencer, inferencer
from cape_mm.inference.model_loading import fold_batch_norms


class NormFirst(nn.Module):
    """Declared after the convolution, used before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, bias=False)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (self.conv(self.norm(x)),)


def with_statistics(backbone: nn.Module) -> nn.Module:
    """As if it were trained: no normalisation is the identity."""
    random = torch.Generator().manual_seed(1)
    for norm in backbone.modules():
        if isinstance(norm, _BatchNorm):
            for values in (norm.weight, norm.running_var):
                values.data.uniform_(0.5, 1.5, generator=random)
            for values in (norm.bias, norm.running_mean):
                values.data.uniform_(-0.5, 0.5, generator=random)
    backbone.eval()
    return backbone


def count_norms(module: nn.Module) -> int:
    return sum(isinstance(part, _BatchNorm) for part in module.modules())


@pytest.mark.parametrize(
    'config',
    [
        dict(type='ResNet', depth=18, out_indices=(2, 3)),
        dict(type='TimmBackbone', name='test_efficientnet'),  # activations in its norms
    ],
)
@torch.no_grad()
def test_a_backbone_is_folded_and_answers_the_same(config):
    with DefaultScope.overwrite_default_scope('mmpose'):
        backbone = with_statistics(MODELS.build(config))
    before = count_norms(backbone)
    folded = fold_batch_norms(backbone, (64, 64))
    assert (count_norms(backbone), count_norms(folded)) == (before, 0)
    picture = torch.randn(2, 3, 64, 64)
    for given, made in zip(backbone(picture), folded(picture), strict=True):
        torch.testing.assert_close(made, given, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_backbone_that_normalises_first_stays():
    backbone = with_statistics(NormFirst())
    assert fold_batch_norms(backbone, (32, 32)) is backbone
    assert count_norms(backbone) == 1


def test_nothing_to_fold():
    backbone = nn.Conv2d(3, 4, 1)
    assert fold_batch_norms(backbone, (8, 8)) is backbone


def test_an_inferencer_folds_its_encoders(tmp_path, monkeypatch):
    model = dict(support_backbone=tiny_backbone())
    path = write_checkpoint(tmp_path / 'two.pth', **model)
    folded = marked(CapeInferencer(checkpoint=path, device='cpu'))
    parts = (folded.model.backbone, folded.model.support_backbone)
    assert [count_norms(part) for part in parts] == [0, 0]

    monkeypatch.setattr(inferencer, 'fold_batch_norms', lambda backbone, _: backbone)
    plain = marked(CapeInferencer(checkpoint=path, device='cpu'))
    assert count_norms(plain.model.backbone) > 0
    (one,), (other,) = folded(make_picture(5)), plain(make_picture(5))
    np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-2)
