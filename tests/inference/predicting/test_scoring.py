"""Predictions against a user's labels, on numbers worked by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from predict_cases import KEYPOINTS, NAMES, SIZE, write_support

from cape_mm.errors import ConfigError
from cape_mm.formats import LabelledInstance, LabelledPicture, LabelSet
from cape_mm.inference import InferenceResult
from cape_mm.inference.predicting import predict_files
from cape_mm.inference.predicting.path_index import PathIndex
from cape_mm.inference.predicting.scoring import match_boxes, score_results
from cape_mm.inference.predicting.support_choice import ChosenSupport

BOX = np.array([0.0, 0.0, *SIZE])


def support(tmp_path: Path) -> ChosenSupport:
    """One shot whose box is the whole picture."""
    write_support(tmp_path)
    path = tmp_path / 'images/marked one.png'
    instance = LabelledInstance(KEYPOINTS, np.full(4, 2), None, BOX)
    picture = LabelledPicture(path.name, SIZE, (instance,))
    labels = LabelSet('mouse', tuple(NAMES), (), (picture,))
    return ChosenSupport(labels, ((picture, instance),), (path,), 1)


def result(source: str, points: np.ndarray) -> InferenceResult:
    scores = np.ones((1, 4))
    return InferenceResult(source, None, SIZE, points[None], scores, scores, BOX[None])


def truth(name: str, points: np.ndarray, visibility=(2, 2, 2, 2)) -> LabelSet:
    instance = LabelledInstance(points, np.array(visibility), None, BOX)
    return LabelSet(
        'mouse', tuple(NAMES), (), (LabelledPicture(name, SIZE, (instance,)),)
    )


def test_distances_are_shares_of_the_longer_side(tmp_path):
    shift = np.array([[0.0, 0], [7.04, 0], [0, 13.44], [32, 0]])
    found = [result('frames/a.png', KEYPOINTS + shift)]
    scores = score_results(found, truth('a.png', KEYPOINTS), support(tmp_path))
    np.testing.assert_allclose(scores.distances, [[0, 0.11, 0.21, 0.5]], atol=1e-9)
    # the support's own points are those of the truth; its box is clipped by a pixel
    np.testing.assert_allclose(scores.floor, 0, atol=0.02)
    assert scores.num_keypoints == 4
    row = next(one for one in str(scores).splitlines() if one.startswith('predicted'))
    assert row.split()[1:] == ['25.0', '25.0', '50.0', '0.205']


def test_hidden_truth_other_pictures_and_the_support_do_not_count(tmp_path):
    chosen = support(tmp_path)
    found = [result(str(chosen.paths[0]), KEYPOINTS), result('b.png', KEYPOINTS)]
    labelled = truth('marked one.png', KEYPOINTS)
    assert score_results(found, labelled, chosen).num_instances == 0
    hidden = truth('b.png', KEYPOINTS, (2, 0, 1, 0))
    scores = score_results(found, hidden, chosen)
    assert (scores.num_instances, scores.num_keypoints) == (1, 2)
    nothing = score_results(found, truth('c.png', KEYPOINTS), chosen)
    assert 'labels no keypoint' in str(nothing)


def test_keypoints_are_matched_by_name(tmp_path):
    mixed = truth('a.png', KEYPOINTS[::-1])
    mixed = replace(mixed, keypoint_names=tuple(NAMES[::-1]))
    found = [result('a.png', KEYPOINTS)]
    scores = score_results(found, mixed, support(tmp_path))
    np.testing.assert_allclose(scores.distances, 0, atol=1e-9)


def test_boxes_that_overlap_most_belong_together():
    first = np.array([[0.0, 0, 10, 10], [50, 50, 10, 10], [200, 0, 5, 5]])
    second = np.array([[52.0, 52, 10, 10], [1, 1, 10, 10]])
    assert match_boxes(first, second) == [(0, 1), (1, 0)]
    assert match_boxes(first[:1], second[:1]) == [(0, 0)]  # whatever they are
    assert match_boxes(first, second[:0]) == []


def test_names_are_found_by_the_end_of_a_path():
    index = PathIndex(['a/x.png', 'b/x.png', 'c/y.png'])
    assert index.find('/data/b/x.png') == 'b/x.png'
    assert index.find('/elsewhere/y.png') == 'c/y.png'
    assert index.find('/elsewhere/x.png') is None  # of two, which?


def test_a_run_tells_how_near_it_is(request_, tmp_path):
    labels = write_support(tmp_path / 'truth')
    content = json.loads(labels.read_text())
    content['images'][0]['file_name'] = 'frame 0.png'
    labels.write_text(json.dumps(content))
    done = predict_files(replace(request_, truth=labels))
    assert 'truth: 1 instances with 4 keypoints' in str(done)
    assert 'copied support' in str(done)
    content['annotations'][0]['keypoints'] += [1, 1, 2]
    content['categories'][0]['keypoints'] += ['more']
    labels.write_text(json.dumps(content))
    out = tmp_path / 'untouched'
    with pytest.raises(ConfigError, match='expected the 4 keypoints of the support'):
        predict_files(replace(request_, truth=labels, out=out))
    assert not out.exists()
