"""From the finished blocks of all processes to one list of labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...formats import LabelledInstance, LabelledPicture, LabelSet
from .. import InferenceResult, SkippedInput, smooth_results
from ..sources import Source
from ..video import VideoReader
from .parts import Line, read_parts, to_result

IS_SEEN = 0.5
"""A keypoint whose probability of showing is lower is written as hidden, v = 1."""


def merge_results(
    out: Path, sources: Sequence[Source], num_keypoints: int, smooth: str | None
) -> list[InferenceResult]:
    """All results in the order of the inputs, those of videos smoothed where asked for.

    Args:
        out: folder of the results.
        sources: all inputs.
        num_keypoints: K.
        smooth: see :func:`~cape_mm.apis.inference.smooth_results`; None leaves it out.
    """
    lines = sorted(
        (line for block in read_parts(out) for line in block['results']), key=_order
    )
    merged: list[InferenceResult] = []
    for place, group in itertools.groupby(lines, key=lambda line: line['place']):
        source = sources[place]
        results: Iterator[InferenceResult] = (
            to_result(line, source.name, num_keypoints) for line in group
        )
        if smooth is not None and source.is_video:
            results = smooth_results(results, smooth, frames_per_second(source))
        merged += results
    return merged


def _order(line: Line) -> tuple[int, int]:
    return line['place'], -1 if line['frame'] is None else line['frame']


def frames_per_second(source: Source) -> float:
    """Of a video."""
    with VideoReader(source.content) as reader:
        return reader.fps


def merge_skipped(out: Path, sources: Sequence[Source]) -> list[SkippedInput]:
    """All inputs that were skipped, each once, in the order of the inputs."""
    found = {
        (place, -1 if frame is None else frame, reason)
        for block in read_parts(out)
        for place, frame, reason in block['skipped']
    }
    return [
        SkippedInput(sources[place].name, None if frame < 0 else frame, reason)
        for place, frame, reason in sorted(found)
    ]


def to_labels(
    results: Sequence[InferenceResult],
    names: dict[str, str],
    labels: LabelSet,
    is_known: np.ndarray,
) -> LabelSet:
    """Predictions as labels.

    Args:
        results: in their order.
        names: of the pictures in the written files, by the name of the source.
        labels: of the support: names and skeleton.
        is_known: keypoints that the support marks, bool (K,); others get v = 0.
    """
    pictures = [
        LabelledPicture(
            names[result.source],
            result.image_size,
            tuple(_instances(result, is_known)),
            result.frame,
        )
        for result in results
    ]
    return LabelSet(labels.category, labels.keypoint_names, labels.skeleton, pictures)


def _instances(
    result: InferenceResult, is_known: np.ndarray
) -> Iterator[LabelledInstance]:
    rows = (result.keypoints, result.visibility, result.confidence, result.boxes)
    for points, probability, confidence, box in zip(*rows):
        is_hidden = np.nan_to_num(probability, nan=1.0) < IS_SEEN
        visibility = np.where(is_known, np.where(is_hidden, 1, 2), 0)
        yield LabelledInstance(points, visibility, confidence, box)
