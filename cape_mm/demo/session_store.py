"""The sessions of all users, no more than there is memory for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .session import DemoSession

MAX_REMEMBERED = 1000
"""Users who are told that their work made room."""


@dataclass
class _Entry:
    session: DemoSession
    lock: threading.Lock = field(default_factory=threading.Lock)


class SessionStore:
    """Sessions by key; the one that was not used for longest makes room.

    Args:
        make: a new session.
        limit: number of sessions.
    """

    def __init__(self, make: Callable[[], DemoSession], limit: int) -> None:
        self._make, self._limit = make, limit
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._dropped: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @contextmanager
    def use(self, key: str) -> Iterator[DemoSession]:
        """A user's session, a new one for a new key; one action at a time."""
        with self._lock:
            entry = self._entries.get(key) or _Entry(self._make())
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > self._limit:
                self._dropped[self._entries.popitem(last=False)[0]] = None
                while len(self._dropped) > MAX_REMEMBERED:
                    self._dropped.popitem(last=False)
        with entry.lock:
            yield entry.session

    def was_dropped(self, key: str) -> bool:
        """Whether a user's session made room for others; true once."""
        with self._lock:
            return self._dropped.pop(key, self) is None

    def drop(self, key: str) -> None:
        """Forget a user, who left."""
        with self._lock:
            self._entries.pop(key, None)
            self._dropped.pop(key, None)
