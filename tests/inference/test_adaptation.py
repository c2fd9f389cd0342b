"""Adaptation: what it changes, what it learns from, and that it can be taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from predict_cases import (
    KEYPOINTS,
    SKELETON,
    make_config,
    make_picture,
    marked,
    write_checkpoint,
    write_layout_checkpoint,
)
from tiny_cape import tiny_backbone

from cape_mm.errors import ConfigError
from cape_mm.inference import CapeInferencer, adaptation
from cape_mm.inference.adaptation import encode_crops, plan_groups


def weights_of(inferencer: CapeInferencer) -> dict[str, torch.Tensor]:
    return {
        name: value.clone() for name, value in inferencer.model.state_dict().items()
    }


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def crops_of(inferencer: CapeInferencer, seed: int = 0):
    support = inferencer.support
    groups = plan_groups(len(support.shots), seed)
    parts = inferencer.model, inferencer.pipeline, support.shots, support.category
    return encode_crops(*parts, groups, seed)


@pytest.fixture
def own(checkpoint) -> CapeInferencer:
    """An inferencer that a test may change."""
    return marked(CapeInferencer(checkpoint=checkpoint, device='cpu'))


def test_a_layout_head_adapts_without_its_confidence(tmp_path):
    path = write_layout_checkpoint(tmp_path / 'layout.pth')
    inferencer = marked(CapeInferencer(checkpoint=path, device='cpu'))
    before = weights_of(inferencer)
    done = inferencer.adapt(4)
    names = changed(before, weights_of(inferencer))
    assert bool(names) == done.is_kept
    assert all(name.startswith('head.') for name in names)
    assert not any('confidence' in name or 'calibration' in name for name in names)


@pytest.mark.parametrize('num_shots', [1, 3])
def test_it_learns_from_the_supports_and_is_taken_back(own, num_shots):
    for seed in range(1, num_shots):
        own.add_support(make_picture(seed), KEYPOINTS + seed)
    before, query = weights_of(own), make_picture(5)
    (first,) = own(query)
    state = torch.random.get_rng_state()
    done = own.adapt(8)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert done.is_kept and done.loss_after < done.loss_before and done.num_steps == 8
    assert 'adapted to the supports: loss' in str(done)
    names = changed(before, weights_of(own))
    assert names and names <= set(own.model.adaptable_parameters())
    assert not [name for name in names if name.startswith('head.reliability')]
    (adapted,) = own(query)
    assert np.abs(adapted.keypoints - first.keypoints).max() > 1e-3
    own.reset_adaptation()
    assert not changed(before, weights_of(own))
    np.testing.assert_array_equal(own(query)[0].keypoints, first.keypoints)


def test_the_same_seed_gives_the_same_model_whatever_came_before(own):
    own.adapt(3, seed=1)
    first = weights_of(own)
    torch.manual_seed(99)
    own.adapt(5, seed=2)
    assert changed(first, weights_of(own))
    own.adapt(3, seed=1)
    assert not changed(first, weights_of(own))


def test_other_supports_begin_with_the_model_of_the_checkpoint(own):
    before = weights_of(own)
    own.adapt(2)
    own.add_support(make_picture(1), KEYPOINTS)  # more of the same: it stays
    assert changed(before, weights_of(own))
    marked(own, seed=3)
    assert not changed(before, weights_of(own))


@pytest.mark.parametrize('after', [1.0, 1.5, float('nan')])
def test_a_loss_that_did_not_fall_keeps_the_model_as_it_was(own, after, monkeypatch):
    losses = iter([1.0, after])
    monkeypatch.setattr(adaptation, 'mean_loss', lambda *_: next(losses))
    before = weights_of(own)
    done = own.adapt(2)
    assert not done.is_kept
    assert 'not adapted, the model is the one it was' in str(done)
    assert not changed(before, weights_of(own))


def test_crops_are_mirrored_and_painted_alike_within_a_group_only(own):
    """With one picture, a group's crops differ by small turns, scales and light."""
    # in the middle, so that no crop loses one
    own.set_support(make_picture(0), [[26, 24], [38, 26], [30, 36]])
    groups = plan_groups(1, seed=0)
    assert groups == [[0] * adaptation.CROPS_OF_ONE] * 8
    crops = crops_of(own)
    mirrored = []
    for group in crops.groups:
        points = crops.keypoints[group]
        a, b, c = points[:, 0], points[:, 1], points[:, 2]
        area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        assert len(set(area.sign().tolist())) == 1
        mirrored.append(bool(area[0] < 0))
    assert len(set(mirrored)) == 2
    assert len({tuple(row.flatten().tolist()) for row in crops.keypoints}) == 24
    again = crops_of(own)
    assert torch.equal(again.keypoints, crops.keypoints)
    assert not torch.equal(crops_of(own, seed=1).keypoints, crops.keypoints)


def test_a_query_is_of_another_picture_where_there_is_one(own):
    single = crops_of(own)
    for supports, query in single.episodes(single.groups[1]):
        assert len(supports) == 1 and supports[0] != query
    for seed in (1, 2, 3):
        own.add_support(make_picture(seed), KEYPOINTS)
    crops = crops_of(own)
    assert all(
        sorted(crops.pictures[r] for r in g) == [0, 1, 2, 3] for g in crops.groups
    )
    for supports, query in crops.episodes(crops.groups[1]):
        pictures = {crops.pictures[row] for row in supports}
        assert pictures == {0, 1, 2, 3} - {crops.pictures[query]}
    assert {len(group) for group in plan_groups(50, seed=0)} == {6}


@pytest.fixture
def write_matching(tmp_path):
    """Writes a checkpoint of a model that compares features of a frozen backbone."""

    def write(head: dict) -> Path:
        model = dict(type='MatchingCAPE', backbone=tiny_backbone(), head=head)
        cfg = make_config()
        cfg.model = dict(model, test_cfg=dict(mode='parallel'))
        with DefaultScope.overwrite_default_scope('mmpose'), torch.random.fork_rng():
            torch.manual_seed(0)
            weights = MODELS.build(cfg.model).half().state_dict()
        path = tmp_path / 'matching.pth'
        torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=weights), path)
        return path

    return write


def test_a_model_that_compares_adapts_too_but_not_its_confidence(write_matching):
    path = write_matching(dict(type='LayoutHead', side=8, num_turns=2, mirror=False))
    inferencer = marked(CapeInferencer(checkpoint=path, device='cpu'))
    before = weights_of(inferencer)
    assert inferencer.adapt(10, lr=1e-2).is_kept
    names = changed(before, weights_of(inferencer))
    assert 'head.level_weights' in names
    assert not [name for name in names if name.startswith('head.confidence')]
    assert all(name.startswith('head.') for name in names)
    inferencer.reset_adaptation()
    assert not changed(before, weights_of(inferencer))


def test_a_matcher_has_nothing_to_adapt(write_matching):
    path = write_matching(dict(type='MatchingHead', side=8))
    inferencer = marked(CapeInferencer(checkpoint=path, device='cpu'))
    with pytest.raises(ConfigError, match='MatchingHead has no parameters that learn'):
        inferencer.adapt(2)


def test_bad_input(own, tmp_path):
    with pytest.raises(ConfigError, match='at least 1, got 0'):
        own.adapt(0)
    box = [40, 40, 20, 16]  # beside all that is marked
    own.set_support(make_picture(0), KEYPOINTS[:2], SKELETON[:1], bbox=box)
    before = weights_of(own)
    with pytest.raises(ConfigError, match='support 1 shows no keypoint inside its box'):
        own.adapt(2)
    assert not changed(before, weights_of(own))
    path = write_checkpoint(tmp_path / 'new.pth')
    with pytest.raises(ConfigError, match='no support is set'):
        CapeInferencer(checkpoint=path, device='cpu').adapt(2)
    own.model.head.requires_grad_(False)
    with pytest.raises(ConfigError, match='has no parameters that learn'):
        own.adapt(2)
