"""The marked pictures that a file of labels names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import ConfigError, MissingDataError
from ..formats import LabelledInstance, LabelledPicture, LabelSet, read_labels
from .inferencer import CapeInferencer
from .pictures import read_picture
from .sources import PICTURE_SUFFIXES, suffix_of

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
    """

    labels: LabelSet
    shots: tuple[tuple[LabelledPicture, LabelledInstance], ...]
    paths: tuple[Path, ...]
    num_labelled: int

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
                    f'pictures with --support-images.'
                )

    def is_small(self) -> bool:
        """Whether the objects take a small part of their pictures."""
        shares = [
            instance.box()[2:].prod() / np.prod(picture.size)
            for picture, instance in self.shots
            if picture.size is not None and min(picture.size) > 0
        ]
        return bool(shares) and float(np.median(shares)) < SMALL_SHARE

    def __str__(self) -> str:
        names = self.labels.keypoint_names
        marked = np.any([one.visibility > 0 for _, one in self.shots], axis=0)
        missing = [name for name, is_marked in zip(names, marked) if not is_marked]
        left_out = ''
        if missing:
            left_out = (
                f', {len(missing)} of them not marked and so not predicted '
                f'({_shorten(missing, 5)})'
            )
        return (
            f'support: {len(self.shots)} of {self.num_labelled} labelled instances of '
            f'{self.labels.category!r}, {len(names)} keypoints{left_out}: '
            f'{_shorten([picture.name for picture, _ in self.shots], 3)}'
        )


def _shorten(names: Sequence[str], num: int) -> str:
    return ', '.join(names[:num]) + (', ...' if len(names) > num else '')


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
    labelled = [
        (picture, instance)
        for picture in labels.pictures
        for instance in picture.instances
        if (instance.visibility > 0).any()
    ]
    if not labelled:
        raise ConfigError(f'--support {path}: no keypoint is marked: mark one at least')
    if pictures:
        shots = tuple(_find_labelled(name, labelled) for name in pictures)
    elif num_shots > len(labelled):
        raise ConfigError(
            f'--num-shots {num_shots}: only {len(labelled)} instances of the support '
            f'are labelled'
        )
    else:
        shots = tuple(labelled[: num_shots or None])
    folder = path if path.is_dir() else path.parent
    paths = tuple(_find_picture(picture, folder, images) for picture, _ in shots)
    return LabelledSupport(labels, shots, paths, len(labelled))


def _labels_of(path: Path) -> Path:
    """The label file; for a picture that beside it."""
    if not path.exists():
        raise MissingDataError(f'--support: no such file or folder: {path}')
    beside = path.with_suffix('.json')
    if suffix_of(path) not in PICTURE_SUFFIXES:
        return path
    if not beside.is_file():
        raise ConfigError(
            f'--support {path}: a picture alone says nothing about its keypoints, and '
            f'{beside.name}, as LabelMe writes it, is not beside it. Mark the '
            f'keypoints there, or name a label file (COCO, LabelMe, CVAT, Label '
            f'Studio, DeepLabCut).'
        )
    return beside


def _find_labelled(
    name: str, labelled: list[tuple[LabelledPicture, LabelledInstance]]
) -> tuple[LabelledPicture, LabelledInstance]:
    """The first labelled instance of the picture of that name."""
    for shot in labelled:
        if f'/{shot[0].name}'.endswith(f'/{name}'):
            return shot
    known = _shorten(sorted({picture.name for picture, _ in labelled}), 10)
    raise ConfigError(
        f'--support-pictures {name}: no labelled picture of that name; there are '
        f'{known}'
    )


def _find_picture(
    picture: LabelledPicture, folder: Path, images: str | Path | None
) -> Path:
    """Where a labelled picture is: below the folder named, or around its labels."""
    folders = [Path(images)] if images is not None else [
        base / part
        for part in ('', 'images', 'images/default')
        for base in (folder, folder.parent)
    ]  # fmt: skip
    name = Path(picture.name)
    for part in (name, name.name):
        for base in folders:
            if (base / part).is_file():
                return base / part
    raise MissingDataError(
        f'--support: picture {picture.name} is not in '
        f'{", ".join(map(str, folders))}. Name its folder with --support-images.'
    )
