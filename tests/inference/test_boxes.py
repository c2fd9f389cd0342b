"""Detectors: clear where MMDetection is absent, used right where it is there."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from cape_mm.errors import ConfigError
from cape_mm.inference.boxes import build_detector, choose_boxes

FOUND = dict(
    bboxes=[[10, 10, 30, 50], [0, 0, 5, 5], [40, 40, 40.5, 60], [1, 2, 21, 32]],
    scores=[0.6, 0.2, 0.9, 0.8],
    labels=[0, 0, 0, 3],
)


def test_without_mmdetection(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmdet', None)
    with pytest.raises(ConfigError, match='MMDetection, which is not installed'):
        build_detector('rtmdet_tiny')


def test_boxes_are_chosen_by_score_size_and_label():
    boxes = choose_boxes(FOUND, 0.3, 10, None)
    np.testing.assert_array_equal(boxes, [[1, 2, 20, 30], [10, 10, 20, 40]])
    np.testing.assert_array_equal(choose_boxes(FOUND, 0.3, 1, None), boxes[:1])
    np.testing.assert_array_equal(choose_boxes(FOUND, 0.3, 10, [0]), boxes[1:])
    empty = choose_boxes(dict(bboxes=[], scores=[], labels=[]), 0.3, 10, None)
    assert empty.shape == (0, 4)


def test_a_detector_serves_an_inferencer(monkeypatch, inferencer):
    calls = []

    class DetInferencer:
        def __init__(self, model, weights, device, show_progress):
            calls.append((model, weights, device))

        def __call__(self, image, return_datasamples):
            calls.append(image.shape)
            return dict(predictions=[FOUND])

    package, apis = ModuleType('mmdet'), ModuleType('mmdet.apis')
    apis.DetInferencer = DetInferencer
    monkeypatch.setitem(sys.modules, 'mmdet', package)
    monkeypatch.setitem(sys.modules, 'mmdet.apis', apis)
    detect = build_detector('rtmdet_tiny', None, 'cpu')
    (result,) = inferencer(np.zeros((60, 64, 3), np.uint8), detect)
    assert result.keypoints.shape == (2, 4, 2)
    assert calls == [('rtmdet_tiny', None, 'cpu'), (60, 64, 3)]
