"""A predicted episode: which pictures stand beside each other, with which marks."""

import numpy as np
import pytest
import torch
from predicted_episodes import make_episode

from cape_mm.visualization import Panel, draw_episode, episode_drawing
from cape_mm.visualization.contact_sheet import GAP, PANEL_SIZE


def parts_of(**kwargs):
    """Arguments of ``draw_episode``."""
    batch, (sample,) = make_episode(0, 1, **kwargs)
    return batch['inputs']['support'][0], batch['inputs']['query'][0], sample


@pytest.fixture
def panels(monkeypatch) -> list[Panel]:
    """What is handed to ``episode_row``, which still draws."""
    seen: list[Panel] = []
    draw = episode_drawing.episode_row

    def note(given, *args):
        seen[:] = given
        return draw(given, *args)

    monkeypatch.setattr(episode_drawing, 'episode_row', note)
    return seen


def test_support_truth_and_prediction(panels):
    support, query, sample = parts_of()
    draw_episode(support, query, sample)
    captions = [panel.caption for panel in panels]
    assert captions == ['support', 'query: truth', 'query: prediction']
    for panel, points in zip(
        panels,
        (sample.support_instances, sample.gt_instances, sample.pred_instances),
    ):
        np.testing.assert_array_equal(panel.keypoints, points.keypoints[0])
    assert [panel.scores is None for panel in panels] == [True, True, False]
    np.testing.assert_allclose(panels[2].scores, 0.9)


def test_prediction_shows_what_a_support_shows(panels):
    support, query, sample = parts_of(shots=2)
    sample.support_instances.is_visible[0] = torch.tensor([True, False, False, False])
    sample.support_instances.is_visible[1] = torch.tensor([False, True, False, False])
    draw_episode(support, query, sample)
    assert panels[-1].is_visible.tolist() == [True, True, False, False]


def test_any_query_can_be_drawn(panels):
    support, query, sample = parts_of(queries=3)
    draw_episode(support, query, sample, index=2)
    np.testing.assert_array_equal(panels[1].keypoints, sample.gt_instances.keypoints[2])
    np.testing.assert_array_equal(
        panels[2].keypoints, sample.pred_instances.keypoints[2]
    )


def test_note_is_the_score_of_that_query(monkeypatch):
    notes = []
    draw = episode_drawing.episode_row
    monkeypatch.setattr(
        episode_drawing,
        'episode_row',
        lambda *args: (notes.append(args[3]), draw(*args))[1],
    )
    support, query, sample = parts_of()
    sample.pred_instances.keypoints_orig = sample.gt_instances.keypoints_orig.clone()
    sample.pred_instances.keypoints_orig[1, :2] += 100
    sample.gt_instances.is_visible_orig[1, 3] = False
    draw_episode(support, query, sample)
    draw_episode(support, query, sample, index=1)
    sample.gt_instances.is_visible_orig[:] = False
    draw_episode(support, query, sample)
    draw_episode(support, query, sample, draw_pred=False)
    expected = ['PCK@0.2 100 % of 4', 'PCK@0.2 33 % of 3', 'nothing to score', '']
    assert notes == expected


def test_parts_can_be_left_out(panels):
    support, query, sample = parts_of()
    draw_episode(support, query, sample, draw_gt=False)
    assert [panel.caption for panel in panels] == ['support', 'query: prediction']
    del sample.pred_instances
    draw_episode(support, query, sample)
    assert [panel.caption for panel in panels] == ['support', 'query: truth']


def test_every_shot_is_shown():
    widths = [draw_episode(*parts_of(shots=n), 64).shape[1] for n in (1, 5)]
    assert widths[1] - widths[0] == 4 * (64 + GAP)


@pytest.mark.parametrize(('num_keypoints', 'factor'), [(5, 1), (17, 1), (68, 2)])
def test_many_keypoints_get_larger_pictures(num_keypoints, factor):
    parts = parts_of(num_keypoints=num_keypoints)
    width = draw_episode(*parts).shape[1]
    assert width == 3 * (factor * PANEL_SIZE + GAP) + GAP


def test_inputs_and_outputs_are_not_changed():
    support, query, sample = parts_of()
    before = support.clone(), query.clone(), sample.clone()
    draw_episode(support, query, sample)
    assert torch.equal(support, before[0])
    assert torch.equal(query, before[1])
    for name in ('gt_instances', 'pred_instances', 'support_instances'):
        now, then = getattr(sample, name), getattr(before[2], name)
        assert all(torch.equal(now[key], then[key]) for key in then.keys())  # noqa: SIM118
