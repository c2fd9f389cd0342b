"""The marked pictures that a file of labels names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..datasets.image_files import image_path
from ..errors import ConfigError, MissingDataError
from ..formats import LabelledInstance, LabelledPicture, LabelSet, read_labels
from ..formats.files import shorten
from ..formats.labels import clean_name, plain
from .inferencer import CapeInferencer
from .picture_names import PictureNames, name_parts
from .pictures import read_picture
from .sources import PICTURE_SUFFIXES, suffix_of
from .support import Shot

SMALL_SHARE = 0.25
"""Of a picture: an object that takes less is far smaller than a whole query."""


@dataclass(frozen=True)
class LabelledSupport:
    """Labelled instances with their picture files.

    Attributes:
        labels: names and skeleton of the keypoints.
        shots: pictures and instances, S of them.
        paths: picture files, S of them.
        num_labelled: how many instances the file has.
        notes: how labels and pictures were found, where it is not plain.
    """

    labels: LabelSet
    shots: tuple[tuple[LabelledPicture, LabelledInstance], ...]
    paths: tuple[Path, ...]
    num_labelled: int
    notes: tuple[str, ...] = ()

    def key(self) -> str:
        """Stands for pictures and labels in the settings of a run."""
        digest = hashlib.sha256(repr(self.labels.skeleton).encode())
        for path, (_, instance) in zip(self.paths, self.shots):
            digest.update(path.read_bytes())
            for part in (instance.keypoints, instance.visibility, instance.bbox):
                digest.update(b'-' if part is None else np.asarray(part).tobytes())
        return digest.hexdigest()

    def set_on(self, inferencer: CapeInferencer) -> None:
        """Make it the inferencer's support.

        Raises:
            ConfigError: a point lies outside its picture, or a picture has another size
                than its labels tell.
            InstanceLoadError: a picture can't be read.
        """
        instances = [instance for _, instance in self.shots]
        images = [read_picture(path).image for path in self.paths]
        inferencer.set_support(
            [str(path) for path in self.paths],
            [instance.keypoints for instance in instances],
            self.labels.skeleton,
            [instance.visibility for instance in instances],
            [instance.bbox for instance in instances],
            self.labels.keypoint_names,
        )
        for path, image, (picture, _) in zip(self.paths, images, self.shots):
            size, told = image.shape[1::-1], picture.size
            if told is not None and min(told) > 0 and told != size:
                raise ConfigError(
                    f'support {path}: the labels were made on {told[0]} x {told[1]} '
                    f'pixels, but the picture has {size[0]} x {size[1]}: it was '
                    f'scaled, cut or turned since. Name the folder of the right '
                    f'pictures as support_images.'
                )

    def __str__(self) -> str:
        names = self.labels.keypoint_names
        marked = np.any([one.visibility > 0 for _, one in self.shots], axis=0)
        missing = [name for name, is_marked in zip(names, marked) if not is_marked]
        left_out = ''
        if missing:
            left_out = (
                f', {len(missing)} of them not marked and so not predicted '
                f'({shorten(missing, 5)})'
            )
        return (
            f'support: {len(self.shots)} of {self.num_labelled} labelled instances of '
            f'{self.labels.category!r}, {len(names)} keypoints{left_out}: '
            f'{shorten([picture.name for picture, _ in self.shots], 3)}'
        )


def is_small(shots: Sequence[Shot]) -> bool:
    """Whether the boxes of marked objects take a small part of their pictures."""
    shares = [shot.bbox[2:].prod() / np.prod(shot.image.shape[:2]) for shot in shots]
    return float(np.median(shares)) < SMALL_SHARE


def choose_support(
    path: str | Path,
    images: str | Path | None = None,
    kind: str | None = None,
    category: str | None = None,
    num_shots: int = 1,
    pictures: Sequence[str] = (),
    skeleton: Sequence[tuple[int, int]] | None = None,
) -> LabelledSupport:
    """Read the labels and find the pictures.

    Args:
        path: file or folder of labels, or a picture with LabelMe's file beside it.
        images: folder of the pictures; None looks around the labels.
        kind: format of the labels; None finds out.
        category: id or name, where the file has several.
        num_shots: how many labelled instances are used; 0 for all.
        pictures: names of the pictures to use; empty: the first ones.
        skeleton: edges for formats that have none; None keeps the file's.

    Raises:
        ConfigError: nothing is marked, or names and numbers do not fit.
        MissingDataError: a file is not there.
        AnnotationFormatError: the labels can't be read.
    """
    path = _labels_of(Path(path))
    labels = read_labels(path, kind, category)
    if skeleton is not None:
        labels = replace(labels, skeleton=tuple(skeleton))
    instances = [(p, instance) for p in labels.pictures for instance in p.instances]
    labelled = [shot for shot in instances if (shot[1].visibility > 0).any()]
    if not labelled:
        reason = ': v, the visibility, is 0 everywhere' if instances else ''
        message = f'support {path}: no keypoint is marked{reason}. Mark one at least'
        raise ConfigError('; '.join([message, *labels.notes]))
    if pictures:
        shots = tuple(_find_labelled(name, labelled) for name in pictures)
    elif num_shots > len(labelled):
        raise ConfigError(
            f'num_shots {num_shots}: only {len(labelled)} instances of the support '
            f'are labelled'
        )
    else:
        shots = tuple(labelled[: num_shots or None])
    names = {picture.name for picture in labels.pictures}
    notes = list(labels.notes)
    paths = tuple(
        _find_picture(picture, names, path, images, notes) for picture, _ in shots
    )
    return LabelledSupport(labels, shots, paths, len(labelled), tuple(notes))


def _labels_of(path: Path) -> Path:
    """The label file; for a picture that beside it."""
    if not path.exists():
        raise MissingDataError(f'support: no such file or folder: {path}')
    beside = path.with_suffix('.json')
    if suffix_of(path) not in PICTURE_SUFFIXES:
        return path
    if not beside.is_file():
        raise ConfigError(
            f'support {path}: a picture alone says nothing about its keypoints, and '
            f'{beside.name}, as LabelMe writes it, is not beside it. Mark the '
            f'keypoints there, or name a label file (COCO, LabelMe, CVAT, Label '
            f'Studio, DeepLabCut).'
        )
    return beside


def _find_labelled(
    name: str, labelled: list[tuple[LabelledPicture, LabelledInstance]]
) -> tuple[LabelledPicture, LabelledInstance]:
    """The first labelled instance of the picture of that name."""
    name = clean_name(name)
    known = list(dict.fromkeys(picture.name for picture, _ in labelled))
    found = [k for k in known if k == name] or [
        k for k in known if k.endswith(f'/{name}')
    ]
    if len(found) != 1:
        reason = 'several labelled pictures' if found else 'no labelled picture'
        raise ConfigError(
            f'support_pictures {name}: {reason} of that name; there are '
            f'{shorten(found or sorted(known), 10)}'
        )
    return next(shot for shot in labelled if shot[0].name == found[0])


def _find_picture(
    picture: LabelledPicture,
    names: Iterable[str],
    labels: Path,
    images: str | Path | None,
    notes: list[str],
) -> Path:
    """Where a labelled picture is: below the folder named, or around its labels.

    Args:
        picture: the wanted one.
        names: of all labelled pictures.
        labels: their file or folder.
        images: the folder named.
        notes: receives what to say where the whole name is not there.
    """
    if picture.is_outside and images is None:
        raise ConfigError(
            f'support {labels}: picture {picture.name} lies outside the folder of '
            f'the labels. Name the folder of the pictures as support_images.'
        )
    around = labels if labels.is_dir() else labels.parent
    folders = [Path(images)] if images is not None else [
        base / part
        for part in ('', 'images', 'images/default')
        for base in (around, around.parent)
    ]  # fmt: skip
    parts = name_parts(picture.name)
    there: dict[str, str] = {}
    for start in range(len(parts)):
        tail = '/'.join(parts[start:])
        paths = [image_path(folder, tail) for folder in folders]
        paths = [path for path in paths if os.path.isfile(path)]
        if paths and start == 0:
            return Path(paths[0])
        there |= {os.path.abspath(path): tail for path in paths}
        for folder in folders if not paths else ():
            if (path := _in_other_letters(folder, parts[start:])) is not None:
                there[os.path.abspath(path)] = path.relative_to(folder).as_posix()
    found = PictureNames({*names, picture.name}, there)
    for path in there:
        if found.find(path) == picture.name:
            notes.append(
                f'picture {picture.name} was found by the end of its name'
                f'{", with other capitals" if path in found.respelled else ""}: {path}'
            )
            return Path(path)
    reason = f' (there is {shorten(sorted(there))})' if there else ''
    raise MissingDataError(
        f'support: picture {picture.name} is not in '
        f'{", ".join(map(str, folders))}{reason}. Name its folder as '
        f'support_images.'
    )


def _in_other_letters(folder: Path, parts: Sequence[str]) -> Path | None:
    """The only file whose path differs in capital letters alone, if there is one."""
    place = folder
    for part in parts:
        with suppress(OSError):
            wanted = part.lower()
            same = [n for n in os.listdir(place) if plain(n).lower() == wanted]
            if len(same) == 1:
                place /= same[0]
                continue
        return None
    return place if place.is_file() else None
