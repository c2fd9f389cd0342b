"""Adaptation: what it changes, what it learns from, and that it can be taken back."""

from __future__ import annotations

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
from cape_mm.inference.adaptation import PairSource


def weights_of(inferencer: CapeInferencer) -> dict[str, torch.Tensor]:
    return {
        name: value.clone() for name, value in inferencer.model.state_dict().items()
    }


def changed(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.fixture
def own(checkpoint) -> CapeInferencer:
    """An inferencer that a test may change, with two marked pictures."""
    inferencer = marked(CapeInferencer(checkpoint=checkpoint, device='cpu'))
    inferencer.add_support(make_picture(1), KEYPOINTS + 1)
    return inferencer


@pytest.fixture
def comparing(tmp_path) -> CapeInferencer:
    """One that compares features, with one marked picture."""
    path = write_layout_checkpoint(tmp_path / 'layout.pth')
    return marked(CapeInferencer(checkpoint=path, device='cpu'))


def test_it_learns_from_marked_pictures_and_is_taken_back(own):
    before, query = weights_of(own), make_picture(5)
    (first,) = own(query)
    state = torch.random.get_rng_state()
    done = own.adapt(8)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert done.is_kept and done.loss_after < done.loss_before and done.num_steps == 8
    assert 'adapted: 8 steps on 2 marked pictures, loss' in str(done)
    names = changed(before, weights_of(own))
    assert names and names <= set(own.model.adaptable_parameters())
    assert not [name for name in names if name.startswith('head.reliability')]
    (adapted,) = own(query)
    assert np.abs(adapted.keypoints - first.keypoints).max() > 1e-3
    own.reset_adaptation()
    assert not changed(before, weights_of(own))
    again = own(query)[0].keypoints
    np.testing.assert_allclose(again, first.keypoints, atol=1e-3)


def test_features_follow_the_pictures_in_a_model_that_compares(comparing):
    comparing.add_support(make_picture(1), KEYPOINTS + 1)
    before, query = weights_of(comparing), make_picture(5)
    tokens, (first,) = comparing.support.tokens, comparing(query)
    done = comparing.adapt(6)
    names = changed(before, weights_of(comparing))
    assert done.is_kept and names
    assert names <= set(comparing.model.adaptable_parameters())
    assert all(name.startswith('backbone.') for name in names)
    # the marked pictures are seen with the new features, too
    assert not torch.equal(comparing.support.tokens[0], tokens[0])
    comparing.reset_adaptation()
    torch.testing.assert_close(comparing.support.tokens, tokens, atol=1e-6, rtol=0)
    again = comparing(query)[0].keypoints
    np.testing.assert_allclose(again, first.keypoints, atol=1e-3)


def test_one_marked_picture_learns_from_what_is_sure_in_others(comparing, monkeypatch):
    alone = comparing.adapt(4)
    assert not alone.is_kept and alone.num_steps == 0
    assert 'not adapted: 1 marked picture teaches nothing' in str(alone)
    monkeypatch.setattr('cape_mm.inference.inferencer.MIN_CONFIDENCE', 0.0)
    folder = [make_picture(seed) for seed in range(2, 20)]
    done = comparing.adapt(4, pictures=folder)
    assert done.num_marked == 1 and done.num_unmarked == adaptation.MAX_UNMARKED
    assert '4 steps on 1 marked and 12 unmarked pictures' in str(done)
    monkeypatch.setattr('cape_mm.inference.inferencer.MIN_CONFIDENCE', 1.0)
    assert comparing.adapt(4, pictures=folder).num_steps == 0


def test_unmarked_pictures_teach_only_their_sure_points(comparing, monkeypatch):
    pictures = [make_picture(seed) for seed in (2, 3)]
    boxes = [[4, 4, 50, 50], [0, 0, 64, 60]]
    found = comparing(pictures, boxes)
    scores = np.stack([one.confidence[0] for one in found])
    middle = float(np.median(scores))
    monkeypatch.setattr('cape_mm.inference.inferencer.MIN_CONFIDENCE', middle)
    given = [*pictures, np.zeros((1, 1, 3), np.uint8)]  # nothing fits in the last
    parts = comparing.model, comparing.support
    shots = comparing._find_sure(*parts, given, [*boxes, None])
    assert len(shots) == 2
    for shot, result, score in zip(shots, found, scores):
        np.testing.assert_array_equal(shot.is_visible, score > middle)
        sure = shot.is_visible
        np.testing.assert_allclose(shot.keypoints[sure], result.keypoints[0][sure])
        np.testing.assert_array_equal(shot.bbox, result.boxes[0])


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


def test_a_support_set_after_adapting_is_as_without(comparing):
    """Its features come from the model that it is compared with."""
    comparing.add_support(make_picture(1), KEYPOINTS + 1)
    tokens = marked(comparing, seed=3).support.tokens
    comparing.add_support(make_picture(1), KEYPOINTS + 1)
    assert comparing.adapt(4).is_kept
    for one, other in zip(marked(comparing, seed=3).support.tokens, tokens):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('after', [1.0, 1.5, float('nan')])
def test_a_loss_that_did_not_fall_keeps_the_model_as_it_was(own, after, monkeypatch):
    losses = iter([1.0, after])
    monkeypatch.setattr(adaptation, 'mean_loss', lambda *_: next(losses))
    before = weights_of(own)
    done = own.adapt(2)
    assert not done.is_kept
    assert 'not adapted, the model is the one it was' in str(done)
    assert not changed(before, weights_of(own))


def test_a_pair_is_two_pictures_mirrored_alike(own):
    """Its crops differ by small turns, scales and light."""
    # in the middle, so that no crop loses one
    marks = [[26, 24], [38, 26], [30, 36]]
    own.set_support([make_picture(0), make_picture(1)], [marks, marks[::-1]])
    parts = own.model, own.pipeline, own.support.shots, own.support.category

    def signs(points: torch.Tensor) -> list[float]:
        a, b, c = points[:, 0], points[:, 1], points[:, 2]
        area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        return area.sign().tolist()

    source, seen = PairSource(*parts, seed=0), []
    for _ in range(6):
        inputs, targets = source.draw()
        ours, theirs = signs(inputs.support_keypoints[:, 0]), signs(targets.points)
        # the second picture's triangle is listed the other way round
        assert ours == [-sign for sign in theirs]
        seen += ours
    assert set(seen) == {-1.0, 1.0}
    first, _ = PairSource(*parts, seed=0).draw()
    again, _ = PairSource(*parts, seed=0).draw()
    other, _ = PairSource(*parts, seed=1).draw()
    assert torch.equal(first.support_images, again.support_images)
    assert not torch.equal(first.support_images, other.support_images)


def test_a_matcher_adapts_its_features(tmp_path):
    cfg = make_config()
    head = dict(type='MatchingHead', side=8)
    cfg.model = dict(type='MatchingCAPE', backbone=tiny_backbone(), head=head)
    cfg.model.test_cfg = dict(mode='parallel')
    with DefaultScope.overwrite_default_scope('mmpose'), torch.random.fork_rng():
        torch.manual_seed(0)
        weights = MODELS.build(cfg.model).state_dict()
    path = tmp_path / 'matching.pth'
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=weights), path)
    inferencer = marked(CapeInferencer(checkpoint=path, device='cpu'))
    inferencer.add_support(make_picture(1), KEYPOINTS + 1)
    before = weights_of(inferencer)
    assert inferencer.adapt(6).is_kept
    names = changed(before, weights_of(inferencer))
    assert names and all(name.startswith('backbone.') for name in names)


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
