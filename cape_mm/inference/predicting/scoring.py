"""How near the truth predictions are, where a user has labels of the queries."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from ...errors import ConfigError
from ...evaluation.copy_support import copy_support
from ...evaluation.functional import fraction_below, normalized_distances
from ...formats import LabelledInstance, LabelSet, read_labels
from .. import InferenceResult
from ..pictures import read_picture
from ..preprocessing import clean_boxes
from .path_index import PathIndex
from .request import PredictRequest
from .support_choice import ChosenSupport

THRESHOLDS = (0.05, 0.1, 0.2)

Pair = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]
"""Prediction, copied support and truth (K, 2), what counts (K,), and the size."""


@dataclass(frozen=True)
class Scores:
    """Predictions against the truth.

    Attributes:
        num_instances: objects that were compared.
        num_keypoints: labelled keypoints of them that the support marks.
        num_missed: labelled objects of the predicted pictures without a prediction.
        distances: of the predictions, as a fraction of the objects' size, float64
            (N, K); NaN where nothing is compared.
        floor: the same of the support's keypoints, pasted into the boxes.
    """

    num_instances: int
    num_keypoints: int
    num_missed: int
    distances: np.ndarray
    floor: np.ndarray

    def __str__(self) -> str:
        if not self.num_keypoints:
            return 'truth: it labels no keypoint of the predicted pictures'
        missed = f', {self.num_missed:,} not predicted' if self.num_missed else ''
        head = ''.join(f'{f"PCK@{thr:g}":>10}' for thr in THRESHOLDS)
        return '\n'.join(
            [
                f'truth: {self.num_instances:,} instances with {self.num_keypoints:,} '
                f"keypoints{missed}; sizes are the longer sides of the truth's boxes",
                f'{"":<16}{head}{"NME":>10}',
                _row('predicted', self.distances),
                _row('copied support', self.floor),
            ]
        )


def _row(name: str, distances: np.ndarray) -> str:
    """Means over the instances, PCK in per cent."""
    pck = [100 * np.nanmean(fraction_below(distances, thr)) for thr in THRESHOLDS]
    cells = ''.join(f'{value:>10.1f}' for value in pck)
    return f'{name:<16}{cells}{np.nanmean(np.nanmean(distances, axis=1)):>10.3f}'


def read_truth(request: PredictRequest, support: ChosenSupport) -> LabelSet | None:
    """The labels of the queries, in any format that can be read; None without any.

    Raises:
        ConfigError: they have other keypoints than the support.
        CapeError: they can't be read.
    """
    if request.truth is None:
        return None
    truth = read_labels(request.truth, None, request.category)
    _keypoint_order(truth, support.labels.keypoint_names)
    return truth


def score_results(
    results: Iterable[InferenceResult], truth: LabelSet, support: ChosenSupport
) -> Scores:
    """Compare results with labels; pictures that were the support are left out.

    Args:
        results: of all inputs.
        truth: labels, whose pictures are found by the ends of their paths.
        support: what was marked.
    """
    order = _keypoint_order(truth, support.labels.keypoint_names)
    known = {(p.file_name, p.frame): p.instances for p in truth.pictures}
    index = PathIndex(name for name, _ in known)
    own = {os.path.realpath(path) for path in support.paths}
    shots = _shots(support)
    pairs: list[Pair] = []
    num_missed = 0
    for result in results:
        name = index.find(PurePath(result.source).as_posix())
        instances = known.get((name, result.frame), ())
        if not instances or os.path.realpath(result.source) in own:
            continue
        matches = match_boxes(result.boxes, np.array([one.box() for one in instances]))
        num_missed += len(instances) - len(matches)
        copied = copy_support(*shots, result.boxes)
        for row, column in matches:
            compared = _compare(instances[column], order, shots[1].any(axis=0))
            if compared is not None:
                pairs.append((result.keypoints[row], copied[row], *compared))
    return _to_scores(pairs, num_missed, len(order))


def _keypoint_order(truth: LabelSet, names: tuple[str, ...]) -> list[int]:
    """Places of the support's keypoints among those of the truth."""
    if set(truth.keypoint_names) == set(names):
        return [truth.keypoint_names.index(name) for name in names]
    if len(truth.keypoint_names) == len(names):
        return list(range(len(names)))
    raise ConfigError(
        f'--truth: expected the {len(names)} keypoints of the support, '
        f'{", ".join(names[:5])} ..., got {len(truth.keypoint_names)}: '
        f'{", ".join(truth.keypoint_names[:5])} ...'
    )


def _shots(support: ChosenSupport) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints (S, K, 2), which are marked (S, K), and boxes (S, 4)."""
    instances = [instance for _, instance in support.shots]
    boxes = [
        clean_boxes(one.bbox, read_picture(path).image.shape[1::-1])[0]
        for path, one in zip(support.paths, instances)
    ]
    return (
        np.stack([one.keypoints for one in instances]),
        np.stack([one.visibility > 0 for one in instances]),
        np.stack(boxes),
    )


def match_boxes(predicted: np.ndarray, true: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of predicted and true boxes that overlap most, each used once.

    One box and one truth belong together, whatever the boxes are.

    Args:
        predicted: (x, y, w, h), (N, 4).
        true: (M, 4).
    """
    if len(predicted) == len(true) == 1:
        return [(0, 0)]
    overlap = _overlaps(predicted, true)
    pairs = []
    while overlap.size and overlap.max() > 0:
        row, column = np.unravel_index(overlap.argmax(), overlap.shape)
        pairs.append((int(row), int(column)))
        overlap[row], overlap[:, column] = 0, 0
    return sorted(pairs)


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union, (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    ends = first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[:, 2:]
    shared = np.clip(np.minimum(*ends) - low, 0, None).prod(axis=-1)
    areas = first[:, None, 2:].prod(axis=-1) + second[None, :, 2:].prod(axis=-1)
    return shared / np.maximum(areas - shared, 1e-9)


def _compare(
    instance: LabelledInstance, order: list[int], is_known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Truth, what counts and size; None where nothing can be measured."""
    is_valid = (instance.visibility[order] > 0) & is_known
    size = float(instance.box()[2:].max())
    if not is_valid.any() or size <= 0:
        return None
    return instance.keypoints[order], is_valid, size


def _to_scores(pairs: list[Pair], num_missed: int, num_keypoints: int) -> Scores:
    if not pairs:
        nothing = np.zeros((0, num_keypoints))
        return Scores(0, 0, num_missed, nothing, nothing)
    found, copied, truth, is_valid, size = (np.array(part) for part in zip(*pairs))
    return Scores(
        num_instances=len(pairs),
        num_keypoints=int(is_valid.sum()),
        num_missed=num_missed,
        distances=normalized_distances(found, truth, is_valid, size),
        floor=normalized_distances(copied, truth, is_valid, size),
    )
