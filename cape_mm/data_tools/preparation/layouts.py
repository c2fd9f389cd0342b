"""How each source data set lies on disk once it is unpacked as published.

Patterns are matched against the end of a file's path; ``{inner}`` is the path inside
MP-100's folder, ``{name}`` its last part, ``{folder}`` MP-100's folder.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError, MissingDataError
from ..mp100_sources import SOURCES
from .wanted import WantedImage


@dataclass(frozen=True)
class Layout:
    """Where to look for the images of one source.

    Attributes:
        published: patterns of the published places, the preferred one first.
        is_searched_anywhere: whether a file of the right name in another place will do
            (if its size in pixels does not contradict the annotations). False where
            the same name means different pictures in different folders.
        excluded: folders inside the source whose files have the same names as the ones
            asked for, but are other pictures.
        guesses: names of the unpacked folder, letters and digits only.
    """

    published: tuple[str, ...]
    guesses: tuple[str, ...]
    is_searched_anywhere: bool = True
    excluded: tuple[str, ...] = ()

    def patterns(self, wanted: WantedImage) -> list[str]:
        """Patterns of one image, as ``Path.match`` takes them."""
        return [
            pattern.format(
                inner=glob.escape(wanted.inner),
                name=glob.escape(wanted.name),
                folder=glob.escape(wanted.folder),
            )
            for pattern in self.published
        ]

    def names(self, wanted: WantedImage) -> list[str]:
        """Base names that the image may have in the source."""
        ends = (pattern.rpartition('/')[2] for pattern in self.published)
        names = [end.format(name=wanted.name, inner=wanted.name) for end in ends]
        return list(dict.fromkeys([wanted.name, *names]))


LAYOUTS: dict[str, Layout] = {
    'COCO': Layout(
        # the release of 2014 has the same pictures under longer names
        published=(
            *('train2017/{name}', 'val2017/{name}'),
            *('train2014/COCO_train2014_{name}', 'val2014/COCO_val2014_{name}'),
        ),
        guesses=('coco', 'coco2017', 'mscoco', 'train2017'),
    ),
    '300W': Layout(published=('{inner}',), guesses=('300w', 'ibug300w')),
    'AFLW': Layout(published=('{inner}',), guesses=('aflw',)),
    'OneHand10K': Layout(
        published=('{inner}',),
        guesses=('onehand10k',),
        excluded=('test', 'mask', 'label'),
    ),
    'DeepFashion2': Layout(
        published=('train/image/{name}',),
        guesses=('deepfashion2',),
        excluded=('test', 'validation', 'val'),
    ),
    'AP-10K': Layout(published=('data/{name}',), guesses=('ap10k',)),
    'MacaquePose': Layout(
        published=('images/{name}',),
        guesses=('macaquepose', 'macaqueposev1', 'macaque'),
    ),
    'Vinegar Fly': Layout(
        published=('fly/images/{name}', 'vinegar_fly/images/{name}', 'fly/{name}'),
        guesses=('vinegarfly', 'fly', 'deepposekitdata'),
        excluded=('locust', 'desert_locust', 'zebra'),
    ),
    'Desert Locust': Layout(
        published=(
            *('locust/images/{name}', 'desert_locust/images/{name}', 'locust/{name}'),
        ),
        guesses=('desertlocust', 'locust', 'deepposekitdata'),
        excluded=('fly', 'vinegar_fly', 'zebra'),
    ),
    'CUB-200': Layout(
        published=('images/[0-9][0-9][0-9].*/{name}',),
        guesses=('cub2002011', 'cub200', 'cub'),
    ),
    'CarFusion': Layout(
        # after the usual renaming; the published scenes are looked at first
        published=('{folder}/{name}',),
        guesses=('carfusion', 'carfusiondataset', 'carfusiontococo'),
    ),
    'AnimalWeb': Layout(
        published=('animal_dataset_v1_clean_check/{name}',),
        guesses=('animalweb', 'animaldatasetv1cleancheck', 'animaldatasetv1c'),
    ),
    'Keypoint-5': Layout(
        # 00000019.jpg is a chair, a sofa and a swivel chair
        published=('{folder}/images/{name}', '{folder}/{name}'),
        guesses=('keypoint5',),
        is_searched_anywhere=False,
    ),
}
"""Layout of each of the thirteen sources."""


def guess_source_folders(parent: str | os.PathLike) -> dict[str, Path]:
    """Sources among the folders inside ``parent``, told by their names.

    Case, dashes and underscores do not matter: 'AP-10K', 'ap_10k' and 'ap10k' are one.

    Returns:
        Folder of each source found, by the source's name.

    Raises:
        MissingDataError: ``parent`` is no folder, or none of its folders is a source.
        ConfigError: two folders could be the same source.
    """
    parent = Path(parent)
    if not parent.is_dir():
        raise MissingDataError(
            f'--sources {parent}: there is no such folder. Give the folder that holds '
            f'the unpacked data sets, or one option per data set, e.g. --ap10k DIR.'
        )
    by_name: dict[str, list[Path]] = {}
    for folder in sorted(path for path in parent.iterdir() if _is_folder(path)):
        by_name.setdefault(_simplify(folder.name), []).append(folder)
    found = {}
    for source, layout in LAYOUTS.items():
        name = next((guess for guess in layout.guesses if guess in by_name), None)
        if name is not None:
            found[source] = _only(by_name[name], source)
    if not found:
        names = ', '.join(layout.guesses[0] for layout in LAYOUTS.values())
        raise MissingDataError(
            f'--sources {parent}: none of its folders has the name of a source data '
            f'set ({names}). Give one option per data set instead, e.g. --ap10k DIR.'
        )
    return found


def _only(folders: Sequence[Path], source: str) -> Path:
    if len(folders) > 1:
        raise ConfigError(
            f'{" and ".join(map(str, folders))} could both be {source}. Say which one '
            f'it is: --{SOURCES[source].key} DIR.'
        )
    return folders[0]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a link that points to itself, before Python 3.13
        return False


def _simplify(name: str) -> str:
    return re.sub(r'[^a-z0-9]', '', name.casefold())
