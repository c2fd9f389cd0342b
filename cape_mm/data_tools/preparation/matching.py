"""Which file of a source is the image that an annotation file asks for.

CarFusion is published as scenes: ``<scene>/images_jpg/<video>_<frame>.jpg`` with the
labels in ``<scene>/gt/<video>_<frame>.txt``. MP-100 names a picture
``<scene number * 10^8 + video * 10^5 + frame>.jpg``. The scene number is the position
of the scene in a folder listing on the machine of MP-100's authors, which differs from
machine to machine: names made by the same script elsewhere mean other pictures. So the
video and the frame are read from the name, and the scene is the one whose labels hold
the annotated keypoints.
"""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ...errors import MissingDataError
from ..mp100_sources import SOURCES
from .wanted import Points, WantedImage

PACKED_SUFFIXES = ('.zip', '.rar', '.tar', '.gz', '.tgz', '.7z', '.h5')


@dataclass(frozen=True)
class BasenameIndex:
    """Files of one source folder, as far as their names were asked for.

    Attributes:
        root: the source folder, absolute.
        files: paths by base name in lower case, sorted.
        packed: archives that lie there, perhaps still to be unpacked.
    """

    root: Path
    files: dict[str, list[str]] = field(default_factory=dict)
    packed: list[str] = field(default_factory=list)

    def find(self, name: str) -> list[str]:
        """Paths of the files of this name; other case only where none has it."""
        paths = self.files.get(name.casefold(), [])
        exact = [path for path in paths if os.path.basename(path) == name]
        return exact or paths

    def folders_of(self, path: str) -> frozenset[str]:
        """Names of the root and of the folders from there to a file, lower case."""
        inner = Path(path).relative_to(self.root).parts[:-1]
        return frozenset(part.casefold() for part in (self.root.name, *inner))


def build_basename_index(
    root: str | os.PathLike, names: Iterable[str]
) -> BasenameIndex:
    """List a source folder once.

    Linked folders are followed, each real folder once, so that a link which leads back
    to a folder above it does no harm.

    Args:
        root: the source folder; nothing in it is changed.
        names: base names to remember.

    Raises:
        MissingDataError: ``root`` is no folder.
    """
    root = Path(os.path.abspath(root))
    if not os.path.isdir(root):
        raise MissingDataError(
            f'source folder not found: {root}. Give the folder where the data set was '
            f'unpacked, or leave the option out to go on without it.'
        )
    index = BasenameIndex(root)
    names = {name.casefold() for name in names}
    seen: set[tuple[int, int]] = set()

    for folder, subfolders, files in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders.sort()
        _add_files(index, folder, files, names)
    for paths in index.files.values():
        paths.sort()
    return index


def _add_files(
    index: BasenameIndex, folder: str, files: list[str], names: set[str]
) -> None:
    for file in files:
        key = file.casefold()
        if key in names:
            path = os.path.join(folder, file)
            if os.path.isfile(path):  # not a broken link, nor one to itself
                index.files.setdefault(key, []).append(path)
        elif key.endswith(PACKED_SUFFIXES):
            index.packed.append(os.path.join(folder, file))


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


def possible_names(wanted: WantedImage) -> list[str]:
    """Base names that an image may have in its source."""
    names, frame = SOURCES[wanted.source].names(wanted.file_name), None
    if wanted.source == 'CarFusion':
        frame = published_name(wanted.file_name)
    return [*names, frame] if frame else names


def match_image(wanted: WantedImage, index: BasenameIndex) -> Match:
    """Find one image in its source.

    The published places come first, in their order. Elsewhere a file must not
    have another size than the annotations state.
    """
    if wanted.source == 'CarFusion':
        match = match_frame(wanted, index)
        if match is not None:
            return match
    source = SOURCES[wanted.source]
    names = source.names(wanted.file_name)
    files = list(dict.fromkeys(path for name in names for path in index.find(name)))
    for pattern in source.patterns(wanted.file_name):
        hits = [path for path in files if Path(path).match(pattern)]
        if hits:
            return _decide(hits, wanted)
    if not source.is_searched_anywhere:
        return Match(reason='no file of this name in the folder of its category')
    elsewhere = [
        path
        for path in files
        if not index.folders_of(path).intersection(source.excluded)
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
    is_same_name = Path(distinct[0]).name == Path(wanted.file_name).name
    renamed = wanted.source == 'CarFusion' and is_same_name
    return Match(distinct[0], reason=BY_NAME_ALONE if renamed else '')


FRAMES_PER_VIDEO = 10**5
VIDEOS_PER_SCENE = 10**3
IMAGE_FOLDER, LABEL_FOLDER = 'images_jpg', 'gt'


def published_name(file_name: str) -> str | None:
    """``'8_1201.jpg'`` for ``'suv/1500801201.jpg'``; None for another kind of name."""
    match = re.fullmatch(r'(?:.*/)?(\d{1,12})\.jpg', file_name)
    if match is None:
        return None
    video, frame = divmod(int(match[1]), FRAMES_PER_VIDEO)
    return f'{video % VIDEOS_PER_SCENE}_{frame}.jpg'


def find_frames(wanted: WantedImage, index: BasenameIndex) -> list[str]:
    """Pictures of this video and frame, one per scene that has them."""
    name = published_name(wanted.file_name)
    paths = index.find(name) if name else []
    return [path for path in paths if Path(path).parent.name == IMAGE_FOLDER]


def label_file(frame: str) -> Path:
    """Label file of a published picture."""
    path = Path(frame)
    return path.parent.with_name(LABEL_FOLDER) / f'{path.stem}.txt'


def has_points(frame: str, point_sets: tuple[Points, ...]) -> bool | None:
    """Whether the labels of a picture hold the keypoints of every annotation.

    Args:
        frame: path of a published picture.
        point_sets: visible keypoints of each annotation, in whole pixels.

    Returns:
        None where it can't be told: no annotation, or no readable label file.
    """
    if not point_sets:
        return None
    try:
        cars = _read_labels(label_file(frame))
    except (OSError, ValueError):
        return None
    return all(any(points <= car for car in cars) for points in point_sets)


def _read_labels(path: Path) -> list[set[tuple[int, int]]]:
    """Labelled points of each car; a line is ``x,y,keypoint,car,visibility``."""
    cars: dict[str, set[tuple[int, int]]] = {}
    for line in path.read_text(encoding='ascii').splitlines():
        values = line.split(',')
        if len(values) >= 4:
            point = int(float(values[0])), int(float(values[1]))
            cars.setdefault(values[3].strip(), set()).add(point)
    return list(cars.values())
