"""The pictures of CarFusion, whose names in MP-100 do not say which ones they are.

CarFusion is published as scenes: ``<scene>/images_jpg/<video>_<frame>.jpg`` with the
labels in ``<scene>/gt/<video>_<frame>.txt``. MP-100 names a picture
``<scene number * 10^8 + video * 10^5 + frame>.jpg``. The scene number is the position
of the scene in a folder listing on the machine of MP-100's authors, which differs from
machine to machine: names made by the same script elsewhere mean other pictures. So the
video and the frame are read from the name, and the scene is the one whose labels hold
the annotated keypoints.
"""

from __future__ import annotations

import re
from pathlib import Path

from .basename_index import BasenameIndex
from .wanted import Points, WantedImage

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
