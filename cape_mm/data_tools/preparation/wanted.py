"""Which images the annotation files ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pycocotools.coco import COCO

from ...datasets.annotation_file import read_annotation_file
from ..checking.files import read_leniently
from ..mp100_sources import source_of_image

Points = frozenset[tuple[int, int]]


@dataclass(frozen=True)
class WantedImage:
    """One image file that an annotation file names.

    Attributes:
        file_name: relative to the image folder, ``<folder>/<inner>``.
        source: name of the source data set, or 'unknown'.
        size: (w, h) in pixels as the annotation file states it.
        point_sets: visible keypoints of each annotation in whole pixels, for the one
            source whose file names don't identify a picture (CarFusion); else empty.
    """

    file_name: str
    source: str
    size: tuple[int, int]
    point_sets: tuple[Points, ...] = ()


def read_coco_files(
    paths: Iterable[Path], must_all_be_coco: bool = True
) -> dict[Path, COCO]:
    """Read annotation files.

    Args:
        paths: the files.
        must_all_be_coco: refuse sound JSON of another kind (say, a list of episodes)
            instead of leaving it aside.

    Returns:
        The indexed files by path.

    Raises:
        MissingDataError: a file does not exist.
        AnnotationFormatError: a file is broken, or none is a COCO-keypoint JSON.
    """
    contents: dict[Path, COCO] = {}
    for path in paths:
        read = read_leniently(path)
        if read.is_other_json and not must_all_be_coco:
            continue
        # where something is wrong, the strict reader says what
        contents[path] = read_annotation_file(path) if read.findings else read.coco
    if not contents:
        read_annotation_file(path)
    return contents


def list_wanted_images(contents: Mapping[Path, COCO]) -> list[WantedImage]:
    """Every image that annotation files name, each once, in the files' order."""
    wanted: dict[str, WantedImage] = {}
    for coco in contents.values():
        for image in coco.dataset['images']:
            name = image['file_name'].replace('\\', '/')
            if name not in wanted:
                annotations = coco.imgToAnns.get(image['id'], [])
                wanted[name] = _read_image(name, image, annotations)
    return list(wanted.values())


def _read_image(name: str, image: dict, annotations: Iterable[dict]) -> WantedImage:
    annotations = list(annotations)
    category_id = annotations[0]['category_id'] if annotations else None
    source = source_of_image(name, category_id)
    point_sets: list[Points] = []
    if source == 'CarFusion':
        point_sets = [_visible_points(ann.get('keypoints')) for ann in annotations]
    return WantedImage(
        file_name=name,
        source=source,
        size=(image['width'], image['height']),
        point_sets=tuple(points for points in point_sets if points),
    )


def _visible_points(keypoints: list | None) -> Points:
    triples = zip(*[iter(keypoints or [])] * 3)
    return frozenset(
        (int(x), int(y))
        for x, y, visibility in triples
        if visibility and x == x and y == y  # NaN is not equal to itself
    )
