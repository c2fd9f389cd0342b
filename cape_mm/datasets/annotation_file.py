"""Reading COCO-keypoint annotation files, with messages that a person can act on."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from pycocotools.coco import COCO

from ..errors import AnnotationFormatError, MissingDataError
from ..utils.json_file import read_json
from .annotation_checks import find_defects
from .categories import settle_bases
from .image_files import image_path, image_size
from .splits import find_category_ids

REQUIRED_LISTS = ('images', 'annotations', 'categories')
AGREEING_KEYS = dict(
    images=('file_name', 'width', 'height'),
    annotations=('image_id', 'category_id', 'bbox', 'keypoints'),
    categories=('name', 'keypoints', 'skeleton'),
)
"""What two entries with the same id must have in common, by list."""


def read_annotation_file(
    path: str | os.PathLike,
    any_image: bool = False,
    image_folder: str | os.PathLike | None = None,
) -> COCO:
    """Read MP-100 or any other COCO-keypoint JSON.

    Args:
        path: the JSON file.
        any_image: images may lie outside the image folder and be of unknown size.
        image_folder: where a size that the file lacks is looked up; None: nowhere.

    Returns:
        The indexed file; ``imgs`` and ``imgToAnns`` keep the file's order.

    Raises:
        MissingDataError: the file does not exist or can not be read.
        AnnotationFormatError: it is no JSON, has not the lists of a COCO file, or an
            entry is incomplete or malformed (see
            :mod:`~cape_mm.datasets.annotation_checks`).
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(
            f'annotation file not found: {path}. Set data_root and ann_file in the '
            f'config, or run "make demo" to see the system on generated data.'
        )
    lists = ', '.join(REQUIRED_LISTS)
    content = read_json(path, f'a COCO file (with the lists {lists})')
    missing = [
        name for name in REQUIRED_LISTS if not isinstance(content.get(name), list)
    ]
    if missing:
        raise AnnotationFormatError(
            f'{path} is not a COCO keypoint file: no list named '
            f'{", ".join(missing)}; it has {sorted(content)}'
        )
    content['images'] = with_sizes(content['images'], image_folder)
    for name in REQUIRED_LISTS:
        for _, defect in find_defects(name, content[name], any_image):
            raise AnnotationFormatError(f'{path}: {defect}')
    return index_annotations(content)


def with_sizes(images: list, folder: str | os.PathLike | None) -> list:
    """The same entries; those without width or height get them from their pictures."""
    return [_with_size(entry, folder) for entry in images] if folder else images


def _with_size(entry: object, folder: str | os.PathLike) -> object:
    if not isinstance(entry, dict) or entry.get('width') and entry.get('height'):
        return entry
    name = entry.get('file_name')
    size = image_size(image_path(folder, name)) if isinstance(name, str) else None
    return entry if size is None else entry | dict(width=size[0], height=size[1])


def index_annotations(content: dict) -> COCO:
    """Index the content of an annotation file, without pycocotools' prints.

    Args:
        content: a COCO file's content; it is kept, not copied, but for the categories,
            of which the skeletons are told whence they count.
    """
    coco = COCO()
    categories = settle_bases(content['categories'], content['annotations'])
    coco.dataset = {**content, 'categories': categories}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def read_annotation_files(
    paths: Sequence[str | os.PathLike],
    include: Collection[int | str] | None = None,
    exclude: Collection[int | str] | None = None,
    image_folder: str | os.PathLike | None = None,
) -> COCO:
    """Read annotation files that share their ids, every entry once.

    Order: that of the files, and in each that of its lists.

    Args:
        paths: JSON files, at least one.
        include: ids or names of the categories to keep; None keeps all.
        exclude: ids or names of the categories to leave out, with their annotations and
            with the images that show nothing else; it wins over ``include``.
        image_folder: see :func:`read_annotation_file`.

    Returns:
        The indexed whole.

    Raises:
        MissingDataError: a file does not exist.
        AnnotationFormatError: a file is no COCO-keypoint JSON, the files use one id
            for different things, or a category to include is in none of them.
        ConfigError: no category, or more than one, has a name of the choice.
    """
    files = [read_annotation_file(path, False, image_folder) for path in paths]
    if len(files) == 1 and include is None and not exclude:
        return files[0]
    names = [str(path) for path in paths]
    content = dict(files[0].dataset)
    for kind in AGREEING_KEYS:
        content[kind] = _merge_entries(
            kind, [coco.dataset[kind] for coco in files], names
        )
    known = {c['id']: str(c.get('name', c['id'])) for c in content['categories']}
    source, wanted = ', '.join(names), {*known}
    if include is not None:
        chosen = find_category_ids(include, known, source)
        _check_included(chosen, wanted, source)
        wanted &= chosen
    wanted -= find_category_ids(exclude or (), known, source)
    return index_annotations(keep_categories(content, wanted))


def keep_categories(content: dict, category_ids: Collection[int]) -> dict:
    """An annotation file's content, reduced to some categories.

    An image stays if it shows one of them, or if it has no annotation at all.
    """
    kept = [a for a in content['annotations'] if a['category_id'] in category_ids]
    shown = {ann['image_id'] for ann in kept}
    gone = {ann['image_id'] for ann in content['annotations']} - shown
    return dict(
        content,
        images=[image for image in content['images'] if image['id'] not in gone],
        annotations=kept,
        categories=[c for c in content['categories'] if c['id'] in category_ids],
    )


def _merge_entries(
    kind: str, lists: Iterable[list[dict]], names: Sequence[str]
) -> list[dict]:
    """Entries of all files; one that several files have comes once.

    A repetition within one file is left to those who count what they drop.
    """
    merged: list[dict] = []
    first_seen: dict[int, tuple[dict, int]] = {}
    for number, entries in enumerate(lists):
        for entry in entries:
            earlier, where = first_seen.setdefault(entry['id'], (entry, number))
            if where == number:
                merged.append(entry)
            else:
                _check_agreement(kind, entry, earlier, (names[number], names[where]))
    return merged


def _check_agreement(
    kind: str, entry: dict, earlier: dict, names: tuple[str, str]
) -> None:
    for key in AGREEING_KEYS[kind]:
        if entry.get(key) != earlier.get(key):
            raise AnnotationFormatError(
                f'{names[0]} and {names[1]} can not be read as one: the entry of '
                f'"{kind}" with id {entry["id"]} has another "{key}" in each of them. '
                f'Files that are read together must share their ids.'
            )


def _check_included(
    include: Collection[int], present: Collection[int], source: str
) -> None:
    absent = sorted(set(include) - set(present))
    if absent:
        raise AnnotationFormatError(
            f'{source}: no category with id '
            f'{", ".join(map(str, absent))}, which include_categories asks for'
        )
