"""Which file of a source is the image that an annotation file asks for."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from .basename_index import BasenameIndex
from .carfusion import find_frames, has_points, published_name
from .layouts import Layout
from .wanted import WantedImage


@dataclass(frozen=True)
class Match:
    """What was found for one image.

    Attributes:
        path: the file, or None.
        candidates: files that all fit, though their content differs; empty otherwise.
        reason: why there is no file, or how far the match can be trusted.
    """

    path: str | None = None
    candidates: tuple[str, ...] = ()
    reason: str = ''

    @property
    def is_ambiguous(self) -> bool:
        """Whether several different files fit."""
        return self.path is None and bool(self.candidates)


BY_NAME_ALONE = 'by name alone'


def possible_names(wanted: WantedImage, layout: Layout) -> list[str]:
    """Base names that an image may have in its source."""
    names = layout.names(wanted)
    frame = published_name(wanted.name) if wanted.source == 'CarFusion' else None
    return [*names, frame] if frame else names


def match_image(wanted: WantedImage, layout: Layout, index: BasenameIndex) -> Match:
    """Find one image in its source.

    The published places come first, in the layout's order. Elsewhere a file must not
    have another size than the annotations state.
    """
    if wanted.source == 'CarFusion':
        match = match_frame(wanted, index)
        if match is not None:
            return match
    names = layout.names(wanted)
    files = list(dict.fromkeys(path for name in names for path in index.find(name)))
    for pattern in layout.patterns(wanted):
        hits = [path for path in files if Path(path).match(pattern)]
        if hits:
            return _decide(hits, wanted)
    if not layout.is_searched_anywhere:
        return Match(reason='no file of this name in the folder of its category')
    elsewhere = [
        path
        for path in files
        if not index.folders_of(path).intersection(layout.excluded)
        and has_size(path, wanted.size) is not False
    ]
    return _decide(elsewhere, wanted)


def match_frame(wanted: WantedImage, index: BasenameIndex) -> Match | None:
    """Find a picture in the published scenes of CarFusion by its labels.

    Returns:
        None where no scene has this video and frame.
    """
    frames = find_frames(wanted, index)
    if not frames:
        return None
    fits = {path: has_points(path, wanted.point_sets) for path in frames}
    proven = [path for path in frames if fits[path]]
    if proven:
        return _decide(proven, wanted)
    open_cases = tuple(path for path in frames if fits[path] is None)
    if open_cases:
        reason = 'only the labels (folder gt of each scene) tell the scene'
        return Match(candidates=open_cases, reason=reason)
    return Match(reason='no scene has the annotated keypoints in this video and frame')


def has_size(path: str, size: tuple[int, int]) -> bool | None:
    """Whether an image has this size, either way up; None where it can't be read.

    Args:
        path: image file; only its header is read.
        size: (w, h) in pixels.
    """
    try:
        with Image.open(path) as image:
            return sorted(image.size) == sorted(size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def is_same_content(first: str, second: str) -> bool:
    """Whether two files are one, or hold the same bytes."""
    try:
        return os.path.samefile(first, second) or filecmp.cmp(
            first, second, shallow=False
        )
    except OSError:
        return False


def _decide(hits: Sequence[str], wanted: WantedImage) -> Match:
    distinct: list[str] = []
    for path in hits:
        if not any(is_same_content(path, other) for other in distinct):
            distinct.append(path)
    if len(distinct) > 1:
        fitting = [path for path in distinct if has_size(path, wanted.size)]
        distinct = fitting if len(fitting) == 1 else distinct
    if not distinct:
        return Match(reason='no such file')
    if len(distinct) > 1:
        return Match(candidates=tuple(distinct), reason='several different files fit')
    renamed = wanted.source == 'CarFusion' and Path(distinct[0]).name == wanted.name
    return Match(distinct[0], reason=BY_NAME_ALONE if renamed else '')
