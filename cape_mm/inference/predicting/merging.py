"""From the finished blocks of all processes to one list of labels.

Results are read from the disk as they are needed: that of a long video would fill the
memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...formats import LabelledInstance, LabelledPicture, LabelSet
from .. import InferenceResult, SkippedInput, smooth_results
from ..sources import Source
from ..video import VideoReader
from .parts import PartIndex, read_parts, to_result

IS_SEEN = 0.5
"""A keypoint whose probability of showing is lower is written as hidden, v = 1."""


class MergedResults:
    """All results in the order of the inputs, those of videos smoothed where asked for.

    It may be read any number of times; one block is in memory.

    Args:
        out: folder of the results.
        sources: all inputs.
        num_keypoints: K.
        smooth: see :func:`~cape_mm.inference.smooth_results`; None leaves it out.
    """

    def __init__(
        self,
        out: Path,
        sources: Sequence[Source],
        num_keypoints: int,
        smooth: str | None,
    ) -> None:
        self.sources, self.num_keypoints, self.smooth = sources, num_keypoints, smooth
        self._index = PartIndex(out)

    def __iter__(self) -> Iterator[InferenceResult]:
        for _, results in self.by_source():
            yield from results

    def by_source(self) -> Iterator[tuple[Source, Iterator[InferenceResult]]]:
        """Every input that has results, with them; they are gone with the next one."""
        lines = (line for block in self._index for line in block['results'])
        for place, group in itertools.groupby(lines, key=lambda line: line['place']):
            source = self.sources[place]
            results: Iterator[InferenceResult] = (
                to_result(line, source.name, self.num_keypoints) for line in group
            )
            if self.smooth is not None and source.is_video:
                fps = frames_per_second(source)
                results = smooth_results(results, self.smooth, fps)
            yield source, results


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


@dataclass(frozen=True)
class PredictedPictures:
    """Results as labelled pictures, made anew whenever they are read.

    Attributes:
        results: in their order.
        names: of the pictures in the written files, by the name of the source.
        is_known: keypoints that the support marks, bool (K,); others get v = 0.
    """

    results: MergedResults
    names: dict[str, str]
    is_known: np.ndarray

    def __iter__(self) -> Iterator[LabelledPicture]:
        for result in self.results:
            yield LabelledPicture(
                self.names[result.source],
                result.image_size,
                tuple(_instances(result, self.is_known)),
                result.frame,
            )


def to_labels(
    results: MergedResults,
    names: dict[str, str],
    labels: LabelSet,
    is_known: np.ndarray,
) -> LabelSet:
    """Predictions as labels, with the names and the skeleton of the support's."""
    pictures = PredictedPictures(results, names, is_known)
    return LabelSet(labels.category, labels.keypoint_names, labels.skeleton, pictures)


def _instances(
    result: InferenceResult, is_known: np.ndarray
) -> Iterator[LabelledInstance]:
    rows = (result.keypoints, result.visibility, result.confidence, result.boxes)
    for points, probability, confidence, box in zip(*rows):
        is_hidden = np.nan_to_num(probability, nan=1.0) < IS_SEEN
        visibility = np.where(is_known, np.where(is_hidden, 1, 2), 0)
        yield LabelledInstance(points, visibility, confidence, box)
