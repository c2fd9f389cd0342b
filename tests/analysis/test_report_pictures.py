"""Curves have the right shape; episodes are ranked as they are called, and drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest
import torch
from episode_data import CocoTree, open_tree
from matplotlib.axes import Axes
from mmengine.structures import InstanceData
from report_cases import evaluate, make_pair, random_pairs

from cape_mm.analysis import report_pictures
from cape_mm.analysis.report_pictures import (
    ChosenPair,
    choose_episodes,
    draw_chosen,
    pck_curve,
    reliability_diagram,
    risk_curve,
)
from cape_mm.evaluation.calibration import scored_confidences
from cape_mm.evaluation.scoring import score_episode
from cape_mm.structures import Episode


@pytest.fixture
def drawn(monkeypatch):
    """The lines of every plot, by label."""
    lines = {}
    original = Axes.plot

    def plot(self, x, y, *args, **kwargs):
        lines[kwargs.get('label')] = np.asarray(x), np.asarray(y)
        return original(self, x, y, *args, **kwargs)

    monkeypatch.setattr(Axes, 'plot', plot)
    return lines


def measured(pairs):
    metrics, table = evaluate(pairs)
    return metrics, scored_confidences(table)


def test_pck_curve_holds_both_lines_in_percent(drawn):
    curve = evaluate(random_pairs())[0]['pck_curve']
    content = pck_curve(curve)
    np.testing.assert_allclose(drawn['method'][1], 100 * np.array(curve['PCK']))
    floor = 100 * np.array(curve['copy_support/PCK'])
    np.testing.assert_allclose(drawn['copy support'][1], floor)
    assert ElementTree.fromstring(content).tag.endswith('svg')


def test_empty_bins_are_left_out(drawn):
    pair = make_pair(0, 0, 1, [0.1, 0.3], [0.95, 0.1])
    reliability_diagram(*measured([pair])[1])
    confidence, accuracy = drawn['right within 0.2']
    assert confidence == pytest.approx([0.1, 0.95])
    assert accuracy == pytest.approx([0, 100])


def test_long_curves_are_thinned_but_keep_their_ends(drawn):
    metrics, found = measured(random_pairs(num_keypoints=60))
    assert len(found[0]) > 1000
    content = risk_curve(*found)
    coverage, risk = drawn['method']
    assert len(coverage) <= 400
    last = 100 * metrics['risk_coverage@0.2']['1']
    assert (coverage[-1], risk[-1]) == (100, pytest.approx(last))
    assert len(content) < 80_000


NAN = float('nan')


def choose(*pairs, category=1):
    chosen = choose_episodes(evaluate(pairs)[1])[category]
    return {one.rank: one for one in chosen}


def pair(episode, slot, num_right, error=0.01, category=1):
    """Four keypoints, so many of them right."""
    off = [error] * num_right + [0.9] * (4 - num_right)
    return make_pair(episode, slot, category, off)


def test_three_ranks_and_their_pairs():
    chosen = choose(
        *(pair(5, slot, num) for slot, num in enumerate((4, 3, 4))),
        *(pair(6, slot, num) for slot, num in enumerate((0, 1, 0))),
        *(pair(7, slot, num) for slot, num in enumerate((1, 4, 2))),
        *(pair(9, slot, 4, category=2) for slot in range(3)),
    )
    found = {rank: (one.episode_index, one.slot) for rank, one in chosen.items()}
    assert found == {'best': (5, 0), 'median': (7, 2), 'worst': (6, 2)}
    assert chosen['best'].episode_pck == 11 / 12
    assert (chosen['median'].pair_pck, chosen['median'].num_pairs) == (0.5, 3)


def test_few_episodes():
    assert list(choose(pair(1, 0, 4))) == ['only']
    assert list(choose(pair(1, 0, 4), pair(2, 0, 1))) == ['best', 'worst']


def test_pairs_without_a_keypoint_count_but_are_not_shown():
    empty = make_pair(1, 0, 1, [NAN] * 4)
    chosen = choose(empty, pair(1, 1, 4), make_pair(1, 2, 1, None))
    assert chosen['only'].slot == 1
    assert (chosen['only'].episode_pck, chosen['only'].num_pairs) == (0.5, 2)


CHOSEN = ChosenPair('best', 1, 0, 0, 1.0, 1, 1.0)


def predict(tree, support, query, has_scores=True):
    """A perfect prediction: the table, its data set and the list of episodes."""
    dataset = open_tree(tree)
    episode = Episode(1, (support,), (query,))
    sample = dataset[episode]['data_samples']
    truth = sample.gt_instances.keypoints_orig
    fields = dict(keypoint_scores=torch.full((1, 4), 0.5)) if has_scores else {}
    sample.pred_instances = InstanceData(keypoints_orig=truth, **fields)
    return score_episode(sample.to_dict()), dataset, [episode]


@pytest.fixture
def shown(monkeypatch):
    """What was drawn: support, query and sample."""
    calls = []
    original = report_pictures.draw_episode

    def draw(support, query, sample):
        calls.append((support, query, sample))
        return original(support, query, sample)

    monkeypatch.setattr(report_pictures, 'draw_episode', draw)
    return calls


def test_prediction_lies_on_the_crop(coco_tree, shown):
    ids = coco_tree.fill(1, 3)
    pictures = draw_chosen([CHOSEN], *predict(coco_tree, ids[2], ids[1]))
    image = cv2.imdecode(np.frombuffer(pictures[0, 0], np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] == 3 * 262 + 6
    ((support, query, sample),) = shown
    for picture, ann_id in ((support, ids[2]), (query, ids[1])):
        level = CocoTree.level(coco_tree.image_of(ann_id))
        assert abs(float(picture.float().median()) - level) < 3
    points = sample.pred_instances.keypoints.float()
    torch.testing.assert_close(points, sample.gt_instances.keypoints.float())
    assert sample.pred_instances.keypoint_scores.eq(0.5).all()


@pytest.mark.parametrize('which', [0, 1])
def test_an_image_that_vanished(coco_tree, which):
    ids = coco_tree.fill(1, 2)
    predicted = predict(coco_tree, *ids)
    coco_tree.image_path(coco_tree.image_of(ids[which])).unlink()
    (reason,) = draw_chosen([CHOSEN], *predicted).values()
    assert reason == ('support: ' if which == 0 else 'query: ') + 'image not found'
