"""Names in a file of labels, found again by the paths of the pictures."""

from __future__ import annotations

from collections.abc import Iterable


class PathIndex:
    """Finds the name that a file of labels has for a picture.

    Args:
        names: in the file, with ``/``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._by_basename: dict[str, list[str]] = {}
        for name in self._names:
            self._by_basename.setdefault(name.rsplit('/', 1)[-1], []).append(name)

    def find(self, path: str) -> str | None:
        """The name of a picture, None where there is none.

        Args:
            path: with ``/``; the end of it must be the name, or the last part of it
                must be the last part of one name alone.
        """
        parts = path.split('/')
        tails = ('/'.join(parts[start:]) for start in range(len(parts)))
        known = next((tail for tail in tails if tail in self._names), None)
        if known is None:
            same = self._by_basename.get(parts[-1], [])
            known = same[0] if len(same) == 1 else None
        return known
