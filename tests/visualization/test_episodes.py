"""Episodes as panels: which pictures stand beside each other, with which marks."""

import numpy as np
import pytest
import torch
from episode_data import CocoTree, open_tree
from predicted_episodes import make_episode

from cape_mm.structures import Episode
from cape_mm.visualization import Panel, draw_episode, episodes
from cape_mm.visualization.contact_sheet import (
    GAP,
    PANEL_SIZE,
)
from cape_mm.visualization.episodes import instance_panels


def parts_of(**kwargs):
    """Arguments of ``draw_episode``."""
    batch, (sample,) = make_episode(0, 1, **kwargs)
    return batch['inputs']['support'][0], batch['inputs']['query'][0], sample


@pytest.fixture
def panels(monkeypatch) -> list[Panel]:
    """What is handed to ``episode_row``, which still draws."""
    seen: list[Panel] = []
    draw = episodes.episode_row

    def note(given, *args):
        seen[:] = given
        return draw(given, *args)

    monkeypatch.setattr(episodes, 'episode_row', note)
    return seen


def test_support_truth_and_prediction(panels):
    support, query, sample = parts_of()
    draw_episode(support, query, sample)
    captions = [panel.caption for panel in panels]
    assert captions == ['support  4/4  id 0', 'query  4/4  id 0', 'query: prediction']
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


def test_note_is_the_score_of_that_query(monkeypatch):
    notes = []
    draw = episodes.episode_row
    monkeypatch.setattr(
        episodes,
        'episode_row',
        lambda *args: (notes.append(args[3]), draw(*args))[1],
    )
    support, query, sample = parts_of()
    sample.pred_instances.keypoints_orig = sample.gt_instances.keypoints_orig.clone()
    draw_episode(support, query, sample)
    sample.pred_instances.keypoints_orig[0, :2] += 100
    sample.gt_instances.is_visible_orig[0, 3] = False
    draw_episode(support, query, sample)
    sample.gt_instances.is_visible_orig[:] = False
    draw_episode(support, query, sample)
    del sample.pred_instances
    draw_episode(support, query, sample)
    expected = ['PCK@0.2 100 % of 4', 'PCK@0.2 33 % of 3', 'nothing to score']
    assert notes == [*expected, 'episode 0']


@pytest.mark.parametrize(('num_keypoints', 'factor'), [(5, 1), (17, 1), (68, 2)])
def test_many_keypoints_get_larger_pictures(num_keypoints, factor):
    parts = parts_of(num_keypoints=num_keypoints)
    width = draw_episode(*parts).shape[1]
    assert width == 3 * (factor * PANEL_SIZE + GAP) + GAP


EPISODE = Episode(1, (100,), (101, 102), seed=5, index=7)


@pytest.fixture
def tree(coco_tree) -> CocoTree:
    """Four keypoints; of 101 one is unlabelled, one has a place but is invisible."""
    coco_tree.fill(1, 3, num_keypoints=4)
    keypoints = coco_tree.content['annotations'][1]['keypoints']
    keypoints[3:6] = [0.0, 0.0, 0]
    keypoints[8] = 0
    return coco_tree


def panels_of(item: dict) -> list:
    sample = item['data_samples']
    return instance_panels(item['inputs']['query'], sample.gt_instances, 'query')


def test_panels_show_what_was_loaded(tree):
    item = open_tree(tree)[EPISODE]
    panels, truth = panels_of(item), item['data_samples'].gt_instances
    for row, panel in enumerate(panels):
        image = item['inputs']['query'][row].permute(1, 2, 0)
        np.testing.assert_array_equal(panel.image, image)
        np.testing.assert_array_equal(panel.keypoints, truth.keypoints[row])
        np.testing.assert_array_equal(panel.is_visible, truth.is_visible[row])
    assert [panel.caption for panel in panels] == [
        'query 1  2/4  id 101',
        'query 2  4/4  id 102',
    ]


def test_hollow_is_what_has_a_place_and_is_invisible(tree):
    first, second = panels_of(open_tree(tree)[EPISODE])
    assert first.is_hollow.tolist() == [False, False, True, False]
    assert not second.is_hollow.any()


def test_single_instance_has_no_number_and_a_template_no_id(tree):
    item = open_tree(tree)[EPISODE]
    sample = item['data_samples']
    support = item['inputs']['support'], sample.support_instances
    assert instance_panels(*support, 'support')[0].caption == ('support  4/4  id 100')
    sample.support_instances.ann_ids[:] = -1
    assert instance_panels(*support, 'support')[0].caption == ('support  4/4  template')
