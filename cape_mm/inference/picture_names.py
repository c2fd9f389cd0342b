"""Which label belongs to which picture; boxes by the names of pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from ..datasets.annotation_file import read_annotation_file
from ..errors import ConfigError
from ..formats.files import shorten
from ..formats.labels import clean_name, plain
from ..formats.registry import refuse_foreign
from .sources import READABLE_SUFFIXES


class PictureNames:
    """Finds the name that a file of labels has for a picture.

    Convention:
        - an exact match wins: a label that is the picture's name
        - else they belong together that alone have the same last parts in their paths,
          the more parts the better: one label and one picture, counted among all
        - last, capital and small letters are the same, under the same rules
        - ``guessed`` lists the pictures that were found by a part of the label's name,
          or by the last part alone, ``respelled`` those with other capitals

    Args:
        labels: names in the file of labels, with or without suffix.
        pictures: paths of all pictures, each with its exact name: relative to the
            folder that they are all in.

    Attributes:
        guessed: see above.
        respelled: see above.
        left: labels with the last part of a picture that has none, but not alone.
    """

    def __init__(self, labels: Iterable[str], pictures: Mapping[str, str]) -> None:
        own = {label: name_parts(label) for label in labels}
        own = {label: parts for label, parts in own.items() if parts}
        exact = {path: name_parts(name) for path, name in pictures.items()}
        paths = {path: name_parts(os.path.abspath(path)) for path in pictures}
        self._found: dict[str, str] = {}
        self._used: set[str] = set()
        self.guessed: list[str] = []
        self.respelled: list[str] = []
        bare = {
            label: parts
            for label, parts in own.items()
            if PurePosixPath(label).suffix.lower() not in READABLE_SUFFIXES
        }
        small = {label: _in_small_letters(parts) for label, parts in own.items()}
        for names, spell in (
            (own, tuple),
            (bare, _without_suffix),
            (small, _in_small_letters),
        ):
            known = set(self._found)
            self._pair(names, {path: spell(parts) for path, parts in exact.items()}, 0)
            spelled = {path: spell(parts) for path, parts in paths.items()}
            for depth in range(max(map(len, names.values()), default=0), 0, -1):
                self._pair(names, spelled, depth)
            if names is small:
                self.respelled = sorted(self._found.keys() - known)
        last = {paths[path][-1] for path in paths.keys() - self._found.keys()}
        self.left = [n for n in own if n not in self._used and own[n][-1] in last]

    def _pair(
        self, labels: dict[str, tuple], pictures: dict[str, tuple], depth: int
    ) -> None:
        """Pair by the last ``depth`` parts, 0 for all."""
        wanted, there = _by_tail(labels, depth), _by_tail(pictures, depth)
        for tail, names in wanted.items():
            paths = there.get(tail, ())
            if not len(names) == len(paths) == 1:
                continue
            (name,), (path,) = names, paths
            if path not in self._found and name not in self._used:
                self._found[path] = name
                self._used.add(name)
                if depth == 1 or 0 < depth < len(labels[name]):
                    self.guessed.append(path)

    def find(self, picture: str) -> str | None:
        """The label's name of a picture, None where there is none."""
        return self._found.get(picture)

    def notes(self) -> list[str]:
        """What a run says of it."""
        notes = []
        if self.guessed:
            notes.append(
                f'{len(self.guessed)} pictures were found by the last part of the name '
                f'alone: {shorten(self.guessed)}'
            )
        if self.respelled:
            notes.append(
                f'{len(self.respelled)} pictures were found by names that differ in '
                f'capital letters: {shorten(self.respelled)}'
            )
        if self.left:
            notes.append(
                f'{len(self.left)} labels were not used, because their names fit '
                f'several pictures, or are those of several labels: '
                f'{shorten(self.left)}'
            )
        return notes


def name_parts(name: str) -> tuple[str, ...]:
    """Folders and file of a path, without drive, root, and ``..`` in front."""
    parts = re.sub('^[A-Za-z]:', '', clean_name(name)).split('/')
    return tuple(part for part in parts if part not in ('', '.', '..'))


def _without_suffix(parts: tuple[str, ...]) -> tuple[str, ...]:
    return (*parts[:-1], PurePosixPath(parts[-1]).stem)


def _in_small_letters(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.lower() for part in parts)


def _by_tail(names: dict[str, tuple], depth: int) -> dict[tuple, list[str]]:
    found: dict[tuple, list[str]] = {}
    for name, parts in names.items():
        if len(parts) >= depth:
            found.setdefault(parts[-depth:], []).append(name)
    return found


def read_boxes(
    path: str | Path, category: str | None = None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Boxes of a COCO file by picture; its keypoints are not looked at.

    Args:
        path: the file.
        category: id or name of the boxes to use; None takes all.

    Returns:
        Boxes (x, y, w, h), (N, 4), by the names of the pictures; and what to say.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no COCO file.
        ConfigError: there is no box of that category.
    """
    refuse_foreign(Path(path))
    coco = read_annotation_file(path, any_image=True)
    kinds = {cat['id']: plain(cat.get('name')) for cat in coco.dataset['categories']}
    ids = {str(key) for key in kinds}
    wanted = None if category is None else plain(category)
    boxes: dict[str, list] = {}
    malformed = []
    for ann in coco.dataset['annotations']:
        kind = ann['category_id']
        is_wanted = wanted in (None, str(kind) if wanted in ids else kinds.get(kind))
        if not (is_wanted and ann.get('bbox') and ann['image_id'] in coco.imgs):
            continue
        box = np.array(ann['bbox'], dtype=np.float64)
        if box.shape == (4,) and np.isfinite(box).all():
            name = clean_name(coco.imgs[ann['image_id']]['file_name'])
            boxes.setdefault(name, []).append(box)
        else:
            malformed.append(ann['id'])
    if not boxes:
        raise ConfigError(
            f'boxes {path}: no box of category {category!r}; there are '
            f'{shorten([f"{key} {name!r}" for key, name in kinds.items()], 20)}'
        )
    notes = []
    if malformed:
        notes.append(f'{len(malformed)} malformed boxes: {shorten(malformed)}')
    return {name: np.array(own) for name, own in boxes.items()}, notes
