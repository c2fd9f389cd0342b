"""How near the truth predictions are, where a user has labels of the queries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask
from scipy.optimize import linear_sum_assignment
from tabulate import tabulate

from ..evaluation.copy_support import copy_support
from ..evaluation.functional import fraction_below, normalized_distances
from ..formats import LabelledInstance, LabelledPicture, LabelSet
from ..formats.files import shorten
from ..formats.labels import LABELLED_FRAME
from .labelled_support import LabelledSupport
from .picture_names import PictureNames
from .results import InferenceResult
from .sources import suffix_of
from .support import Shot
from .video import SUFFIXES as VIDEO_SUFFIXES

THRESHOLDS = (0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Scores:
    """Predictions against the truth.

    Attributes:
        num_missed: labelled objects of the predicted pictures without a prediction.
        distances: of the predictions, as a fraction of the objects' size, float64
            (N, K); NaN where nothing is compared.
        floor: the same of the support's keypoints, pasted into the boxes.
        notes: how labels were found, where it is not plain.
    """

    num_missed: int
    distances: np.ndarray
    floor: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def num_keypoints(self) -> int:
        """Labelled keypoints that were compared."""
        return int(np.isfinite(self.distances).sum())

    def __str__(self) -> str:
        notes = [f'truth: {note}' for note in self.notes]
        if not self.num_keypoints:
            said = 'truth: it labels no keypoint of the predicted pictures'
            return '\n'.join([said, *notes])
        missed = f', {self.num_missed:,} not predicted' if self.num_missed else ''
        rows = dict(predicted=self.distances, **{'copied support': self.floor})
        table = tabulate(
            [[name, *_means(distances)] for name, distances in rows.items()],
            headers=['', *(f'PCK@{thr:g}' for thr in THRESHOLDS), 'NME'],
            tablefmt='plain',
            floatfmt=('', '.1f', '.1f', '.1f', '.3f'),
        )
        said = (
            f'truth: {len(self.distances):,} instances with {self.num_keypoints:,} '
            f"keypoints{missed}; sizes are the longer sides of the truth's boxes"
        )
        return '\n'.join([said, *notes, table])


def _means(distances: np.ndarray) -> list[float]:
    """PCK in per cent at every threshold and NME, means over the instances."""
    pck = [100 * np.nanmean(fraction_below(distances, thr)) for thr in THRESHOLDS]
    return [*pck, np.nanmean(np.nanmean(distances, axis=1))]


def score_results(
    results: Iterable[InferenceResult],
    truth: LabelSet,
    support: LabelledSupport,
    shots: Sequence[Shot],
    pictures: Mapping[str, str],
) -> Scores:
    """Compare results with labels; pictures that were the support are left out.

    Labels of the frames that DeepLabCut extracted are those of a video's frames, too.

    Args:
        results: of all inputs.
        truth: labels of pictures.
        support: what was marked.
        shots: the same, read.
        pictures: of all inputs, see :class:`~.picture_names.PictureNames`.
    """
    places, notes = match_keypoints(truth.keypoint_names, support.labels.keypoint_names)
    known: dict[tuple[str, int | None], list[LabelledPicture]] = {}
    has_video = any(suffix_of(path) in VIDEO_SUFFIXES for path in pictures)
    for one in truth.pictures:
        known.setdefault((one.file_name, one.frame), []).append(one)
        frame = LABELLED_FRAME.fullmatch(one.file_name)
        if frame and has_video:
            known.setdefault((frame[1], int(frame[2])), []).append(one)
    names = PictureNames({name for name, _ in known}, pictures)
    notes = [*truth.notes, *notes, *names.notes()]
    own = {os.path.realpath(path) for path in support.paths}
    marks = (
        np.stack([shot.keypoints for shot in shots]),
        np.stack([shot.is_visible for shot in shots]),
        np.stack([shot.bbox for shot in shots]),
    )
    rows, resized = [], []
    num_missed = 0
    for result in results:
        labelled = known.get((names.find(result.source), result.frame), ())
        if any(one.size not in (None, result.image_size) for one in labelled):
            resized.append(result.source)
            continue
        instances = [instance for one in labelled for instance in one.instances]
        if not instances or os.path.realpath(result.source) in own:
            continue
        matches = match_boxes(result.boxes, np.array([one.box() for one in instances]))
        num_missed += len(instances) - len(matches)
        copied = copy_support(*marks, result.boxes)
        for row, column in matches:
            true = _true_keypoints(instances[column], places, marks[1].any(axis=0))
            if true is not None:
                rows.append((result.keypoints[row], copied[row], *true))
    if resized:
        notes.append(
            f'{len(resized)} pictures left out, of another size than the labels tell: '
            f'{shorten(resized)}'
        )
    if not rows:
        nothing = np.zeros((0, len(places)))
        return Scores(num_missed, nothing, nothing, tuple(notes))
    found, copied, points, is_valid, size = (np.array(part) for part in zip(*rows))
    distances = [
        normalized_distances(one, points, is_valid, size) for one in (found, copied)
    ]
    return Scores(num_missed, *distances, tuple(notes))


def match_keypoints(
    truth: Sequence[str], support: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Where the support's keypoints are among those of the truth.

    By their names; by their place where not a single name is shared. A name that one
    side lacks is left out and counted.

    Args:
        truth: names in the labels.
        support: K names.

    Returns:
        Places, -1 for a keypoint that the truth lacks, int (K,); and what to say.
    """
    by_name = np.array([truth.index(n) if n in truth else -1 for n in support])
    if (by_name >= 0).any():
        lacking = dict(
            it=[name for name in support if name not in truth],
            support=[name for name in truth if name not in support],
        )
        return by_name, [
            f'{len(names)} keypoints are not in {side.replace("su", "the su")}: '
            f'{shorten(names, 5)}'
            for side, names in lacking.items()
            if names
        ]
    places = np.arange(len(support))
    note = 'it shares no keypoint name with the support: compared by their order'
    return np.where(places < len(truth), places, -1), [note]


def match_boxes(predicted: np.ndarray, true: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of predicted and true boxes that overlap most in all, each used once.

    One box and one truth belong together, whatever the boxes are.

    Args:
        predicted: (x, y, w, h), (N, 4).
        true: (M, 4).
    """
    if len(predicted) == len(true) == 1:
        return [(0, 0)]
    overlap = mask.iou(list(predicted), list(true), np.zeros(len(true)))
    if not len(overlap):  # a list where there is none
        return []
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist())
    return [(row, column) for row, column in pairs if overlap[row, column] > 0]


def _true_keypoints(
    instance: LabelledInstance, places: np.ndarray, is_known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Truth, what counts and size; None where nothing can be measured."""
    is_valid = (places >= 0) & (instance.visibility[places] > 0) & is_known
    size = float(instance.box()[2:].max())
    if not is_valid.any() or size <= 0:
        return None
    return instance.keypoints[places], is_valid, size
