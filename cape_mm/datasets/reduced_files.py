"""What a reduced annotation file says about the complete one that it was made of.

``check_dataset.py --write-available`` leaves out what has no image. A result on
such a file is partial, although nothing is missing any more; so the file's ``info``
keeps how many usable annotations every category had, and how many it kept::

    {"info": {"complete_data": [{"id": 5, "name": "cat", "num_instances": 100,
                                 "num_kept": 80}, ...]}, ...}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import AnnotationFormatError

INFO_KEY = 'complete_data'
FIELD_TYPES = dict(id=int, name=str, num_instances=int, num_kept=int)


@dataclass(frozen=True)
class Reduction:
    """One category of the complete file.

    Attributes:
        id: category id.
        name: category name.
        num_instances: its usable annotations in the complete file.
        num_kept: those of them that the reduced file has; 0 if it has not the category.
    """

    id: int
    name: str
    num_instances: int
    num_kept: int

    @property
    def num_left_out(self) -> int:
        """Usable annotations that the reduced file has not."""
        return self.num_instances - self.num_kept


def read_reductions(content: Mapping[str, Any], source: str) -> dict[int, Reduction]:
    """The complete file's categories; none if a file was not reduced.

    Args:
        content: an annotation file's content.
        source: file name for messages.

    Raises:
        AnnotationFormatError: the entry was edited by hand.
    """
    info = content.get('info')
    entries = info.get(INFO_KEY, []) if isinstance(info, dict) else []
    if not isinstance(entries, list) or not all(map(_is_reduction, entries)):
        raise AnnotationFormatError(
            f'{source}: "{INFO_KEY}" of its "info" is not what check_dataset.py '
            f'--write-available writes there. Write the file afresh.'
        )
    return {entry['id']: Reduction(**entry) for entry in entries}


def add_reductions(files: Iterable[Mapping[int, Reduction]]) -> dict[int, Reduction]:
    """The categories of several files that are read as one."""
    total: dict[int, Reduction] = {}
    for reductions in files:
        for key, new in reductions.items():
            old = total.get(key, Reduction(key, new.name, 0, 0))
            total[key] = Reduction(
                key,
                old.name,
                old.num_instances + new.num_instances,
                old.num_kept + new.num_kept,
            )
    return total


def with_reductions(
    info: object, reductions: Mapping[int, Reduction]
) -> dict[str, Any]:
    """A file's ``info`` that says so; anything but an object is replaced."""
    entries = [asdict(reduction) for reduction in reductions.values()]
    return {**(info if isinstance(info, dict) else {}), INFO_KEY: entries}


def _is_reduction(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and {key: type(value) for key, value in entry.items()} == FIELD_TYPES
        and 0 <= entry['num_kept'] <= entry['num_instances']
    )
