"""Platt scaling finds the numbers that made the outcomes; the checkpoint gets them."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from cape_mm.analysis import calibrating
from cape_mm.analysis.calibrating import KEY, calibrate, fit_confidence
from cape_mm.errors import ConfigError


def made_outcomes(scale, shift, num=40_000):
    rng = np.random.default_rng(0)
    logits = rng.normal(1.0, 2.0, num)
    is_correct = rng.random(num) < expit(scale * logits + shift)
    return expit(logits), is_correct


@pytest.mark.parametrize('scale, shift', [(1.0, 0.0), (0.5, -0.7), (1.6, 0.4)])
def test_fit_finds_what_made_the_outcomes(scale, shift):
    found = fit_confidence(*made_outcomes(scale, shift))
    assert found == pytest.approx((scale, shift), abs=0.06)


def test_nothing_to_fit():
    with pytest.raises(ValueError, match='right and wrong'):
        fit_confidence(np.full(5, 0.5), np.ones(5, dtype=bool))


class Table:
    def __init__(self, confidence, is_correct):
        kinds = [('score', 'f4'), ('distance', 'f8')]
        self.keypoints = np.zeros(len(confidence), kinds)
        self.keypoints['score'] = confidence
        self.keypoints['distance'] = np.where(is_correct, 0.1, 0.3)
        self.category_id = [1, 2]


def test_checkpoint_gets_the_numbers(tmp_path, monkeypatch):
    table = Table(*made_outcomes(0.5, -0.7))
    stored = type('Stored', (), dict(table=table))
    monkeypatch.setattr(calibrating, 'read_results', lambda path: stored)
    given = torch.tensor([2.0, 1.0])
    torch.save(dict(state_dict={KEY: given, 'w': torch.ones(2)}), tmp_path / 'a.pth')
    said = calibrate(tmp_path / 'a.pth', tmp_path, tmp_path / 'b.pth')
    assert 'written' in said
    weights = torch.load(tmp_path / 'b.pth', weights_only=True)['state_dict']
    # composed: 0.5 * (2 x + 1) - 0.7
    torch.testing.assert_close(
        weights[KEY], torch.tensor([1.0, -0.2]), atol=0.06, rtol=0
    )
    assert torch.equal(weights['w'], torch.ones(2))


def test_another_head(tmp_path):
    torch.save(dict(state_dict={'w': torch.ones(2)}), tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match='only a LayoutHead'):
        calibrate(tmp_path / 'a.pth', tmp_path, tmp_path / 'b.pth')
