"""What a check can find, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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
        return dict(
            kind=self.kind,
            severity=self.severity,
            count=len(self.items),
            noun=self.noun,
            items=list(self.items),
        )


def found(
    kind: str, severity: str, noun: str, items: Iterable[int | str]
) -> list[Finding]:
    """A list of one finding, or of none where there are no items."""
    items = tuple(items)
    return [Finding(kind, severity, noun, items)] if items else []
