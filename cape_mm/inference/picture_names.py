"""Which label belongs to which picture; boxes by the names of pictures."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from ..datasets.annotation_file import read_annotation_file
from ..errors import ConfigError


class PictureNames:
    """Finds the name that a file of labels has for a picture.

    Convention:
        - a picture has the label whose whole name ends its path, the longest if there
          are several; a label that would go to several pictures goes to that which it
          names exactly, or to none
        - the last part of a name alone decides only where one label and one picture
          have it; ``guessed`` lists those

    Args:
        labels: names in the file of labels, with ``/``, with or without suffix.
        pictures: paths of all pictures, each with its exact name: relative to the
            folder that they are all in.

    Attributes:
        guessed: pictures that were found by the last part of a name alone.
    """

    def __init__(self, labels: Iterable[str], pictures: Mapping[str, str]) -> None:
        labels = set(labels)
        claims: dict[str, list[str]] = {}
        for path in pictures:
            whole = next((tail for tail in _tails(path) if tail in labels), None)
            if whole is not None:
                claims.setdefault(whole, []).append(path)
        self._found: dict[str, str] = {}
        for name, paths in claims.items():
            exact = [path for path in paths if pictures[path] == name]
            if len(exact or paths) == 1:
                self._found[(exact or paths)[0]] = name
        num_labels = Counter(PurePosixPath(name).name for name in labels)
        num_pictures = Counter(PurePosixPath(path).name for path in pictures)
        by_last = {PurePosixPath(name).name: name for name in labels}
        self.guessed: list[str] = []
        for path in pictures:
            last = PurePosixPath(path).name
            if path not in self._found and num_labels[last] == num_pictures[last] == 1:
                self._found[path] = by_last[last]
                self.guessed.append(path)

    def find(self, picture: str) -> str | None:
        """The label's name of a picture, None where there is none."""
        return self._found.get(picture)


def _tails(path: str) -> Iterator[str]:
    """All ends of a path, the longest first, each with and without its suffix."""
    parts = path.replace(os.sep, '/').split('/')
    for start in range(len(parts)):
        tail = '/'.join(parts[start:])
        yield tail
        yield tail.removesuffix(PurePosixPath(tail).suffix)


def read_boxes(path: str | Path, category: str | None = None) -> dict[str, np.ndarray]:
    """Boxes of a COCO file by picture; its keypoints are not looked at.

    Args:
        path: the file.
        category: id or name of the boxes to use; None takes all.

    Returns:
        Boxes (x, y, w, h), (N, 4), by the names of the pictures.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no COCO file.
        ConfigError: there is no box of that category.
    """
    coco = read_annotation_file(path)
    kinds = {cat['id']: str(cat.get('name')) for cat in coco.dataset['categories']}
    boxes: dict[str, list] = {}
    for ann in coco.dataset['annotations']:
        kind = ann['category_id']
        is_wanted = category is None or category in (str(kind), kinds.get(kind))
        if is_wanted and ann.get('bbox') and ann['image_id'] in coco.imgs:
            name = coco.imgs[ann['image_id']]['file_name'].replace('\\', '/')
            boxes.setdefault(name, []).append(ann['bbox'])
    if not boxes:
        raise ConfigError(f'--boxes {path}: no box of category {category!r}')
    return {name: np.array(own, dtype=np.float64) for name, own in boxes.items()}
