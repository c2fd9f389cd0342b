"""The file that a user of the page downloads."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from predict_cases import KEYPOINTS
from pycocotools.coco import COCO

from cape_mm.errors import ConfigError
from cape_mm.inference.labelled_support import choose_support


def test_downloaded_file_holds_what_is_shown(predicted, tmp_path):
    predicted.show_query(1)
    predicted.correct_point(0, [5, 6])  # random weights may have no other confidence
    predicted.show_query(0)
    predicted.correct_point(1, [12.25, 13])
    predicted.set_category('Fuß')
    scores = np.sort(np.delete(predicted.current_query().confidence, 1))
    predicted.set_threshold((scores[0] + scores[1]) / 2)
    coco = COCO(predicted.export_coco(tmp_path / 'out.json'))
    names = [image['file_name'] for image in coco.dataset['images']]
    assert names == ['bird 1.png', 'a.png', 'b.png']
    category = coco.dataset['categories'][0]
    assert (category['name'], category['skeleton']) == ('Fuß', [[0, 1], [1, 2]])
    support, first, _ = coco.dataset['annotations']
    assert support['bbox'] == [0, 0, 64, 60]  # the page shows the model all of it
    assert np.reshape(support['keypoints'], (4, 3)).tolist() == [
        [*point, 2] for point in KEYPOINTS.tolist()
    ]
    triplets = np.reshape(first['keypoints'], (4, 3))
    pose = predicted.current_query()
    assert triplets[1].tolist() == [12.25, 13, 2]
    assert first['keypoint_scores'][1] == 1
    is_shown = pose.confidence >= predicted.threshold
    assert is_shown.sum() == 3
    np.testing.assert_array_equal(triplets[:, 2], np.where(is_shown, 2, 0))
    np.testing.assert_allclose(triplets[is_shown, :2], pose.points[is_shown], atol=1e-3)
    assert not triplets[~is_shown].any()
    assert first['bbox'] == [0, 0, 64, 60]


def test_a_support_taken_from_the_queries_is_written_once(predicted, tmp_path):
    predicted.use_as_support()
    coco = COCO(predicted.export_coco(tmp_path / 'out.json'))
    assert len(coco.dataset['images']) == 3


def test_the_download_is_the_same_support_elsewhere(predicted, tmp_path):
    for shot in predicted.labels.shots:
        cv2.imwrite(str(tmp_path / shot.picture.name), shot.picture.image)
    path = predicted.export_coco(tmp_path / 'out.json')
    inferencer = predicted.inferencer
    choose_support(path).set_on(inferencer)
    pose = predicted.current_query()
    (result,) = inferencer(pose.picture.image)
    np.testing.assert_allclose(result.keypoints[0], pose.points, atol=0.02)


def test_nothing_to_download_says_so(session, tmp_path):
    with pytest.raises(ConfigError, match='nothing to download'):
        session.export_coco(tmp_path / 'out.json')
