"""The marked pictures that a support file names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import ConfigError, MissingDataError
from ...formats import LabelledInstance, LabelledPicture, LabelSet, read_labels
from .. import CapeInferencer
from ..pictures import read_picture
from ..sources import PICTURE_SUFFIXES, suffix_of
from .request import PredictRequest, hash_file


@dataclass(frozen=True)
class ChosenSupport:
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
            digest.update(hash_file(path).encode())
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
        inferencer.set_support(
            [str(path) for path in self.paths],
            [instance.keypoints for instance in instances],
            self.labels.skeleton,
            [instance.visibility for instance in instances],
            [instance.bbox for instance in instances],
            self.labels.keypoint_names,
        )
        for path, (picture, _) in zip(self.paths, self.shots):
            _check_size(path, picture)

    def __str__(self) -> str:
        names = ', '.join(picture.name for picture, _ in self.shots[:3])
        more = ', ...' if len(self.shots) > 3 else ''
        return (
            f'support: {len(self.shots)} of {self.num_labelled} labelled instances of '
            f'{self.labels.category!r}, {self._count_keypoints()}: {names}{more}'
        )

    def _count_keypoints(self) -> str:
        marked = np.any([one.visibility > 0 for _, one in self.shots], axis=0)
        names = self.labels.keypoint_names
        missing = [name for name, is_marked in zip(names, marked) if not is_marked]
        if not missing:
            return f'{len(names)} keypoints'
        shown = ', '.join(missing[:5]) + (', ...' if len(missing) > 5 else '')
        return (
            f'{len(names)} keypoints of which {len(missing)} are not marked and so not '
            f'predicted ({shown})'
        )


def _check_size(path: Path, picture: LabelledPicture) -> None:
    """Refuse labels that were made on another size of a picture.

    Raises:
        ConfigError: the file has another size than the labels tell.
    """
    size = read_picture(path).image.shape[1::-1]
    if picture.size is not None and min(picture.size) > 0 and picture.size != size:
        raise ConfigError(
            f'support {path}: the labels were made on {picture.size[0]} x '
            f'{picture.size[1]} pixels, but the picture has {size[0]} x {size[1]}: it '
            f'was scaled, cut or turned since. Name the folder of the right pictures '
            f'with --support-images.'
        )


def choose_support(request: PredictRequest) -> ChosenSupport:
    """Read the labels and find the pictures.

    Raises:
        ConfigError: nothing is marked, or names and numbers do not fit.
        MissingDataError: a file is not there.
        AnnotationFormatError: the labels can't be read.
    """
    path = _labels_of(Path(request.support))
    labels = read_labels(path, request.support_format, request.category)
    if request.skeleton is not None:
        labels = LabelSet(
            labels.category,
            labels.keypoint_names,
            tuple(request.skeleton),
            labels.pictures,
        )
    labelled = [
        (picture, instance)
        for picture in labels.pictures
        for instance in picture.instances
        if (instance.visibility > 0).any()
    ]
    if not labelled:
        raise ConfigError(f'--support {path}: no keypoint is marked: mark one at least')
    shots = _pick(labelled, request)
    folder = path if path.is_dir() else path.parent
    paths = tuple(_find_picture(p, folder, request.support_images) for p, _ in shots)
    return ChosenSupport(labels, shots, paths, len(labelled))


def _labels_of(path: Path) -> Path:
    """The label file; for a picture that beside it."""
    if not path.exists():
        raise MissingDataError(f'--support: no such file or folder: {path}')
    if suffix_of(path) not in PICTURE_SUFFIXES:
        return path
    beside = path.with_suffix('.json')
    if not beside.is_file():
        raise ConfigError(
            f'--support {path}: a picture alone says nothing about its keypoints, and '
            f'{beside.name}, as LabelMe writes it, is not beside it. Mark the '
            f'keypoints there, or name a label file (COCO, LabelMe, CVAT, Label '
            f'Studio, DeepLabCut).'
        )
    return beside


def _pick(
    labelled: list[tuple[LabelledPicture, LabelledInstance]], request: PredictRequest
) -> tuple[tuple[LabelledPicture, LabelledInstance], ...]:
    """The instances that are asked for by number or name."""
    if request.support_pictures:
        chosen = []
        for name in request.support_pictures:
            own = [shot for shot in labelled if f'/{shot[0].name}'.endswith(f'/{name}')]
            if not own:
                known = ', '.join(sorted({p.name for p, _ in labelled})[:10])
                raise ConfigError(
                    f'--support-pictures {name}: no labelled picture of that name; '
                    f'there are {known}'
                )
            chosen.append(own[0])
        return tuple(chosen)
    if request.num_shots > len(labelled):
        raise ConfigError(
            f'--num-shots {request.num_shots}: only {len(labelled)} instances of the '
            f'support are labelled'
        )
    return tuple(labelled[: request.num_shots or None])


def _find_picture(
    picture: LabelledPicture, folder: Path, images: str | Path | None
) -> Path:
    """Where a labelled picture is: below the folder named, or around its labels."""
    if images is not None:
        folders = [Path(images)]
    else:
        folders = [folder, folder / 'images', folder.parent, folder.parent / 'images']
        folders += [folder / 'images/default', folder.parent / 'images/default']
    name = Path(picture.name)
    candidates = [base / part for part in (name, name.name) for base in folders]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        tried = ', '.join(str(base) for base in folders)
        raise MissingDataError(
            f'--support: picture {picture.name} is not in {tried}. Name its folder '
            f'with --support-images.'
        )
    return found
