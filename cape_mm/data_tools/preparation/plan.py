"""What there is to do, worked out and shown before anything is written."""

from __future__ import annotations

import filecmp
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tabulate import tabulate

from ...errors import ConfigError
from ..mp100_sources import CATEGORY_FOLDERS, SOURCES, UNKNOWN_SOURCE, split_name
from .matching import (
    BY_NAME_ALONE,
    BasenameIndex,
    Match,
    build_basename_index,
    match_image,
    possible_names,
)
from .wanted import WantedImage


class Action(str, Enum):
    """What becomes of one image."""

    KEEP = 'there'
    LINK = 'to make'
    REPLACE = 'broken link'
    MISSING = 'missing'
    AMBIGUOUS = 'ambiguous'
    BLOCKED = 'in the way'


WRITING = (Action.LINK, Action.REPLACE)
GAPS = (Action.MISSING, Action.AMBIGUOUS, Action.BLOCKED)


@dataclass(frozen=True)
class PlanEntry:
    """One image of the annotation files.

    Attributes:
        wanted: what is asked for.
        target: where it belongs.
        action: what is to be done, or why nothing can be.
        match: what the source has.
    """

    wanted: WantedImage
    target: Path
    action: Action
    match: Match


@dataclass(frozen=True)
class Plan:
    """All images, in the annotation files' order.

    Attributes:
        image_root: folder of the image folders.
        entries: one per image.
        indices: contents of the sources that were given, by the source's name.
    """

    image_root: Path
    entries: list[PlanEntry]
    indices: dict[str, BasenameIndex] = field(default_factory=dict)

    @property
    def to_write(self) -> list[PlanEntry]:
        """Entries for which a file is to be made."""
        return [entry for entry in self.entries if entry.action in WRITING]

    @property
    def has_images(self) -> bool:
        """Whether any image is there or will be."""
        return any(entry.action not in GAPS for entry in self.entries)

    @property
    def has_gaps(self) -> bool:
        """Whether an image will be missing after all is done."""
        return any(entry.action in GAPS for entry in self.entries)


def find_image_root(data_root: str | os.PathLike) -> Path:
    """Folder for the image folders: ``data_root/images``.

    It is ``data_root`` itself where image folders lie there already and there is no
    ``images``, as the reference instructions have it.
    """
    root = Path(os.path.abspath(data_root))
    is_flat = any((root / folder).is_dir() for folder in CATEGORY_FOLDERS.values())
    is_flat = is_flat and not os.path.lexists(root / 'images')
    return root if is_flat else root / 'images'


def make_plan(
    wanted: Sequence[WantedImage],
    image_root: str | os.PathLike,
    source_folders: Mapping[str, str | os.PathLike],
) -> Plan:
    """Look for every image in its source and in the place where it belongs.

    Args:
        wanted: what :func:`~.wanted.list_wanted_images` returned.
        image_root: folder of the image folders.
        source_folders: folder of each unpacked source by its name, any subset.

    Raises:
        ConfigError: a source is unknown, a source and ``image_root`` lie inside each
            other, or a folder to write to is a link.
        MissingDataError: a source folder does not exist.
    """
    image_root = Path(os.path.abspath(image_root))
    folders = {split_name(image.file_name)[0] for image in wanted}
    _check_folders(source_folders, image_root, folders)
    indices = {}
    for source, folder in source_folders.items():
        images = [image for image in wanted if image.source == source]
        names = {name for image in images for name in possible_names(image)}
        indices[source] = build_basename_index(folder, names)
    entries = [_plan_image(image, image_root, indices) for image in wanted]
    plan = Plan(image_root, entries, indices)
    _refuse_linked_folders(plan)
    return plan


def _check_folders(
    source_folders: Mapping[str, str | os.PathLike],
    image_root: Path,
    folders: Iterable[str],
) -> None:
    targets = [Path(os.path.realpath(image_root)) / folder for folder in folders]
    for source, folder in source_folders.items():
        if source not in SOURCES:
            raise ConfigError(
                f'unknown source data set {source!r}; known are {", ".join(SOURCES)}'
            )
        origin = Path(os.path.realpath(folder))
        for target in targets:
            if target.is_relative_to(origin) or origin.is_relative_to(target):
                raise ConfigError(
                    f'the {source} folder {origin} and {target}, where images are to '
                    f'be put, lie inside each other, so preparing would write into '
                    f'the source. Unpack it elsewhere or choose another data_root.'
                )


def _plan_image(
    wanted: WantedImage, image_root: Path, indices: Mapping[str, BasenameIndex]
) -> PlanEntry:
    target = image_root / wanted.file_name
    index = indices.get(wanted.source)
    if index is not None:
        match = match_image(wanted, index)
    elif wanted.source == UNKNOWN_SOURCE:
        match = Match(reason='belongs to none of the thirteen sources')
    else:
        match = Match(reason=f'--{SOURCES[wanted.source].key} was not given')
    return PlanEntry(wanted, target, _choose(target, match), match)


def _choose(target: Path, match: Match) -> Action:
    if target.is_file():
        is_right = match.path is None or _is_made_from(str(target), match.path)
        return Action.KEEP if is_right else Action.BLOCKED
    if match.path is None:
        return Action.AMBIGUOUS if match.is_ambiguous else Action.MISSING
    if target.is_symlink():
        return Action.REPLACE
    return Action.BLOCKED if os.path.lexists(target) else Action.LINK


def _is_made_from(target: str, source: str) -> bool:
    # copies keep size and time of their source, so re-runs needn't read them all
    try:
        return os.path.samefile(target, source) or filecmp.cmp(target, source)
    except OSError:
        return False


def _refuse_linked_folders(plan: Plan) -> None:
    """Writing through a linked folder would write into whatever it points to."""
    folders: set[Path] = set()
    for entry in plan.to_write:
        inner = entry.target.relative_to(plan.image_root)
        folders.update(plan.image_root / folder for folder in inner.parents[:-1])
    for folder in sorted(folders):
        if folder.is_symlink():
            raise ConfigError(
                f'{folder} is a link to {os.readlink(folder)}, and images that belong '
                f'there are missing: making them would write into that folder. Remove '
                f'the link (not what it points to) and run this again.'
            )
        if os.path.lexists(folder) and not folder.is_dir():
            raise ConfigError(
                f'{folder} should be a folder of images, but it is a file. Move it '
                f'away and run this again.'
            )


COLUMNS = {
    'there': (Action.KEEP,),
    'to make': WRITING,
    **{action.value: (action,) for action in GAPS},
}
MAX_LISTED = 50
"""Images listed per kind of trouble; what is left out is counted."""


def format_plan(plan: Plan) -> str:
    """Table, list of troubles, and notes; empty parts are left out.

    A broken link counts as 'to make'.
    """
    troubles = {
        Action.AMBIGUOUS: 'ambiguous, none was taken; keep the right one in the source '
        'folder',
        Action.BLOCKED: 'in the way, left as it is; remove what is wrong and run this '
        'again',
    }
    parts = [_table(plan)]
    for action, title in troubles.items():
        own = [_trouble(e) for e in plan.entries if e.action is action]
        more = [f'... and {len(own) - MAX_LISTED:,} more'] * (len(own) > MAX_LISTED)
        parts += ['\n  '.join([f'{title}:', *own[:MAX_LISTED], *more])] if own else []
    notes = [f'note: {note}' for note in _notes(plan)]
    return '\n\n'.join([*parts, *(['\n'.join(notes)] if notes else [])])


def _trouble(entry: PlanEntry) -> str:
    if entry.action is Action.BLOCKED:
        return f'{entry.target} differs from {entry.match.path}'
    found = ', '.join(entry.match.candidates)
    return f'{entry.wanted.file_name} ({entry.match.reason}): {found}'


def _table(plan: Plan) -> str:
    """Images by source."""
    groups: dict[str, list[PlanEntry]] = {}
    for entry in plan.entries:
        groups.setdefault(entry.wanted.source, []).append(entry)
    rows = []
    for source in (*SOURCES, UNKNOWN_SOURCE):
        if own := groups.get(source):
            where = plan.indices[source].root if source in plan.indices else None
            rows.append(_row(f'{source} ({where or _why_absent(source)})', own))
    rows.append(_row('all', plan.entries))
    headers = ['source', 'images', *COLUMNS]
    align = ['left', *['right'] * (len(headers) - 1)]
    return tabulate(rows, headers, colalign=align, tablefmt='plain')


def _row(title: str, entries: Sequence[PlanEntry]) -> list[object]:
    counts = Counter(entry.action for entry in entries)
    numbers = (sum(counts[action] for action in own) for own in COLUMNS.values())
    return [title, *(number or '-' for number in (len(entries), *numbers))]


def _why_absent(source: str) -> str:
    if source == UNKNOWN_SOURCE:
        return 'no source data set of MP-100'
    return f'--{SOURCES[source].key} not given'


def _notes(plan: Plan) -> list[str]:
    notes = []
    for source, index in plan.indices.items():
        entries = [entry for entry in plan.entries if entry.wanted.source == source]
        missing = [entry for entry in entries if entry.action is Action.MISSING]
        if missing:
            first = missing[0]
            notes.append(
                f'{source}: {len(missing):,} images missing, the first is '
                f'{first.wanted.file_name}: {first.match.reason}'
            )
        if index.packed and missing and len(missing) == len(entries):
            download = SOURCES[source].download
            notes.append(f'{source}: still packed? {index.packed[0]} ({download})')
    renamed = sum(entry.match.reason == BY_NAME_ALONE for entry in plan.entries)
    if renamed:
        notes.append(
            f'CarFusion: {renamed:,} images were taken by their renamed files. Such '
            f'names depend on the machine that made them; give the published scenes '
            f'(images_jpg and gt) to have every picture verified by its labels.'
        )
    return notes
