"""A MatchingCAPE so small that a test with it takes milliseconds.

Its frozen backbone is random. A new layout head *is* the matcher, which would hide a
broken one: :func:`open_gates` gives all that it learns something to say.
"""

from __future__ import annotations

import torch
from mmpose.registry import MODELS
from tiny_cape import prepare
from torch import nn

import cape_mm  # noqa: F401  (registers everything)
from cape_mm.models.heads.matching_head import MatchingContext

SIDE = 8
LEVEL_WEIGHTS = (0.0, 1.0, 0.5)
LAYOUT = dict(
    type='LayoutHead',
    level_weights=LEVEL_WEIGHTS,
    side=SIDE,
    relation_side=SIDE,
    num_turns=4,
    num_relations=6,
    num_candidates=4,
)
MATCHER = dict(type='MatchingHead', level_weights=LEVEL_WEIGHTS, side=SIDE)
BACKBONE = dict(
    type='TimmBackbone', name='test_resnet', out_strides=(4, 8, 16), frozen_stages='all'
)
"""Maps of 16, 8 and 4 cells along a side of 64 pixels."""

PLAIN = dict(
    turn_prob=0.0,
    random_order_prob=0.0,
    prefix_mix=dict(truth_prob=1.0, noise_std=0.0, drop_prob=0.0),
)
"""A layout head's training without chance."""


def matching_config(head: dict = LAYOUT, mode: str = 'parallel', **overrides) -> dict:
    """Config of the tiny model; ``overrides`` replace its other parts."""
    config = dict(
        type='MatchingCAPE', backbone=BACKBONE, head=head, test_cfg=dict(mode=mode)
    )
    return config | overrides


def build_matching(
    head: dict = LAYOUT, mode: str = 'parallel', seed: int = 0, **overrides
) -> nn.Module:
    """The tiny model in evaluation mode; equal seeds give equal backbones."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MODELS.build(matching_config(head, mode, **overrides))
    return model.eval()


def open_gates(head: nn.Module, seed: int = 0) -> nn.Module:
    """Shift all parameters of a layout head by noise."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in head.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator)
        for gate in (head.layout_gate, head.view_gate, head.offset_gate):
            gate.fill_(0.7)
        head.rival_gate.fill_(0.3)
        last = head.pointer.correction[-1].weight
        last.copy_(3 * torch.randn(last.shape, generator=generator))
    return head


def encode(model: nn.Module, items: list[dict]) -> MatchingContext:
    """Encoded episodes."""
    with torch.no_grad():
        return model.encode(prepare(model, items)['inputs'])
