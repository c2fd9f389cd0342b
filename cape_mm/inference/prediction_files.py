"""The files that a finished run is written to."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..formats import (
    FORMATS,
    LabelledInstance,
    LabelledPicture,
    LabelSet,
    open_for_writing,
    write_labels,
)
from .overlays import FOLDER as OVERLAYS
from .overlays import OverlayStyle, overlay_path, write_video
from .prediction_log import NAME as LOG
from .prediction_log import LoggedResults
from .results import InferenceResult

SKIPPED = 'skipped.csv'
IS_SEEN = 0.5
"""A keypoint whose probability of showing is lower is written as hidden, v = 1."""

Track = Callable[[Iterator[InferenceResult], str], Iterator[InferenceResult]]


@dataclass(frozen=True)
class PredictedPictures:
    """Results as labelled pictures, made anew whenever they are read.

    Attributes:
        results: in their order.
        names: of the pictures in the written files, by the name of the source.
        is_known: keypoints that the support marks, bool (K,); others get v = 0.
    """

    results: LoggedResults
    names: Mapping[str, str]
    is_known: np.ndarray

    def __iter__(self) -> Iterator[LabelledPicture]:
        for result in self.results:
            rows = zip(
                *(result.keypoints, result.visibility),
                *(result.confidence, result.boxes),
            )
            instances = tuple(self._instance(*row) for row in rows)
            name, size = self.names[result.source], result.image_size
            yield LabelledPicture(name, size, instances, result.frame)

    def _instance(
        self,
        points: np.ndarray,
        probability: np.ndarray,
        confidence: np.ndarray,
        box: np.ndarray,
    ) -> LabelledInstance:
        is_hidden = np.nan_to_num(probability, nan=1.0) < IS_SEEN
        visibility = np.where(self.is_known, np.where(is_hidden, 1, 2), 0)
        return LabelledInstance(points, visibility, confidence, box)


def write_predictions(
    results: LoggedResults,
    names: Mapping[str, str],
    labels: LabelSet,
    is_known: np.ndarray,
    out: Path,
    formats: Sequence[str],
) -> list[Path]:
    """Write the predictions as labels, and the list of skipped inputs.

    Args:
        results: of a finished run.
        names: see :class:`PredictedPictures`.
        labels: of the support, for category, names and skeleton.
        is_known: see :class:`PredictedPictures`.
        out: the folder.
        formats: names of formats.

    Returns:
        Files and folders; the log of the run is one of them.

    Raises:
        ConfigError: a file can't be written.
    """
    pictures = PredictedPictures(results, names, is_known)
    predicted = LabelSet(
        labels.category, labels.keypoint_names, labels.skeleton, pictures
    )
    files: list[Path] = []
    for kind in formats:
        written = write_labels(predicted, out, kind)
        files += written if len(written) < 3 else [out / FORMATS[kind].name]
    (out / SKIPPED).unlink(missing_ok=True)  # of the run that --force replaces
    if skipped := results.skipped():
        files.append(out / SKIPPED)
        with open_for_writing(out / SKIPPED) as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow(['file', 'frame', 'reason'])
            writer.writerows([one.source, one.frame, one.reason] for one in skipped)
    return [*files, out / LOG]


def draw_videos(
    results: LoggedResults,
    names: Mapping[str, str],
    out: Path,
    every: int,
    style: OverlayStyle,
    track: Track,
) -> list[Path]:
    """Draw the predictions of all videos; pictures were drawn as they came.

    Args:
        results: of a finished run.
        names: of the sources.
        out: the folder.
        every: every n-th frame was sampled.
        style: what is drawn.
        track: shows how far it is.

    Returns:
        The folder of all overlays, if there is any.

    Raises:
        ConfigError: a video can't be written.
    """
    for source, own in results.by_source():
        if source.is_video:
            path = overlay_path(out, names[source.name], '.mp4')
            frames = track(own, f'drawing {source.name}')
            write_video(path, source, frames, every, style)
    return [out / OVERLAYS] if (out / OVERLAYS).is_dir() else []
