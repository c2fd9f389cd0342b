"""CUDA graphs of training and activation checkpointing exclude each other."""

from __future__ import annotations

import pytest

from cape_mm.apis.graph_checks import check_training_graph
from cape_mm.errors import ConfigError

GRAPH = dict(cuda_graph=True)


def config(train_cfg=GRAPH, with_cp=False, **others):
    backbone = dict(type='ResNet', with_cp=with_cp)
    return dict(model=dict(backbone=backbone, train_cfg=train_cfg), **others)


@pytest.mark.parametrize(
    ('cfg', 'place'),
    [
        (config(with_cp=True), r'\(model\.backbone\.with_cp\)'),
        (
            config(activation_checkpointing=['backbone']),
            r'\(activation_checkpointing\)',
        ),
    ],
)
def test_together_they_are_refused(cfg, place):
    with pytest.raises(ConfigError, match=f'train_cfg.cuda_graph=True does .*{place}'):
        check_training_graph(cfg)


@pytest.mark.parametrize(
    'cfg',
    [
        {},
        config(),
        config(None, with_cp=True),
        config(dict(cuda_graph=False), True, activation_checkpointing=['backbone']),
        config(3, with_cp=True),  # that is not a dict is said by the model
        config(activation_checkpointing=[]),
    ],
)
def test_one_of_them_is_fine(cfg):
    check_training_graph(cfg)
