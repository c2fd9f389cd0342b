"""What a check can find, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...datasets.annotation_index import InstanceIds
from ...datasets.categories import Category
from ...datasets.episode_pools import EpisodeSize

REFUSED = 'refused'
"""Training or testing with this file would stop at once."""

GAP = 'gap'
"""Something is lost or contradicts itself, the rest can be used."""

NOTE = 'note'
"""Worth knowing; nothing is lost that the official protocol keeps."""

SEVERITIES = (REFUSED, GAP, NOTE)
"""The worst first."""


@dataclass(frozen=True)
class Finding:
    """One kind of defect and all places where it was found.

    Attributes:
        kind: what is the matter, in words.
        severity: :data:`REFUSED`, :data:`GAP` or :data:`NOTE`.
        noun: what ``items`` are, in the plural: 'annotations', 'images' ...
        items: ids of the places, or one text for each; never cut.
    """

    kind: str
    severity: str
    noun: str
    items: tuple[int | str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | dict(count=len(self.items), items=list(self.items))


def found(
    kind: str, severity: str, noun: str, items: Iterable[int | str]
) -> list[Finding]:
    """A list of one finding, or of none where there are no items."""
    items = tuple(items)
    return [Finding(kind, severity, noun, items)] if items else []


def label(category: Category) -> str:
    """Id and name of a category, for people."""
    return f'{category.id} {category.name}'


def size_findings(
    categories: Mapping[int, Category],
    kept: Mapping[int, InstanceIds],
    available: Mapping[int, InstanceIds],
    size: EpisodeSize,
) -> list[Finding]:
    """Categories that are too small, from the start or for want of images.

    Args:
        categories: by id.
        kept: usable annotations by category.
        available: those of them whose image can be used.
        size: of an episode.
    """
    small, emptied, unused = [], [], []
    for key, category in categories.items():
        if not kept[key]:
            unused.append(label(category))
        elif not size.fits(kept[key]):
            images = len({image_id for _, image_id in kept[key]})
            small.append(f'{label(category)} ({len(kept[key])} on {images} images)')
        elif not size.fits(available[key]):
            counts = f'{len(available[key])} of {len(kept[key])}'
            emptied.append(f'{label(category)} ({counts})')
    needed = f'{size.num_shots} + {size.num_queries}'
    return [
        *found(f'too few instances for {needed}', GAP, 'categories', small),
        *found(f'too few images left for {needed}', GAP, 'categories', emptied),
        *found('no usable annotation', NOTE, 'categories', unused),
    ]
