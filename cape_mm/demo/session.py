"""What the server has of each user: pictures and an encoded support, for a while."""

from __future__ import annotations

import copy
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..errors import CapeError, ConfigError
from ..inference import CapeInferencer
from .pictures import Limits, Picture, read_upload
from .work import Work

SPARE_PICTURES = 20
"""Removed pictures that are kept beyond the limits, as a removal can be undone."""


class MissingPicturesError(CapeError, KeyError):
    """The server does not have pictures: the browser sends them (again).

    Args:
        keys: of the pictures.
    """

    def __init__(self, keys: list[str]) -> None:
        super().__init__(keys)
        self.keys = keys


class NoRoomError(CapeError, RuntimeError):
    """Others use the page, or its memory is full: the message is for the user."""


class DemoSession:
    """Pictures and support of one user.

    Nothing here is more than a copy of what the browser has: it may be dropped at any
    time and comes back with the next request.

    Args:
        inferencer: its model is shared with the other users, its support is not.
        limits: bounds of what is kept.
    """

    def __init__(
        self, inferencer: CapeInferencer, limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        # a copy has a support of its own, but the same model and lock
        self.inferencer = copy.copy(inferencer)
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._support_key: object = None
        self._lock = threading.RLock()

    @property
    def num_bytes(self) -> int:
        """Of all files."""
        return sum(len(picture.content) for picture in list(self._pictures.values()))

    def add_picture(self, key: str, name: str, content: bytes) -> tuple[Picture, bytes]:
        """Take an uploaded file; one of the same key is replaced.

        Those that were not used for longest make room.

        Args:
            key: by which the messages name it.
            name: of the file, for people.
            content: of the file.

        Returns:
            The picture, and a JPEG file that every browser shows.

        Raises:
            ImageDecodeError: the file can't be used.
        """
        picture, preview = read_upload(name, content, self.limits)
        with self._lock:
            self._pictures[key] = picture
            self._pictures.move_to_end(key)
            most = self.limits.max_queries + self.limits.max_shots + SPARE_PICTURES
            while len(self._pictures) > most:
                self._pictures.popitem(last=False)
        return picture, preview

    def predict(self, work: Work, wanted: Collection[int]) -> dict[int, np.ndarray]:
        """Predict objects.

        Args:
            work: has the supports, and the objects with their boxes.
            wanted: ids of the objects.

        Returns:
            (x, y, confidence) of the keypoints by the objects' ids, float64 (K, 3); NaN
            where no support marks the keypoint.

        Raises:
            MissingPicturesError: pictures have to be uploaded first.
            ConfigError: nothing is marked, or a point or a box lies outside its
                picture.
        """
        asked = [
            (picture.key, [one for one in picture.objects if one.id in wanted])
            for picture in work.pictures
        ]
        asked = [(key, objects) for key, objects in asked if objects]
        with self._lock:
            keys = [p.key for p, _ in work.shots()] + [key for key, _ in asked]
            missing = [key for key in keys if key not in self._pictures]
            if missing:
                raise MissingPicturesError(list(dict.fromkeys(missing)))
            for key in keys:
                self._pictures.move_to_end(key)
            self._set_support(work)
            tasks = [
                self._pictures[key].crop(self.inferencer, [one.box for one in objects])
                for key, objects in asked
            ]
            is_known = self.inferencer.support.is_known
            results = self.inferencer.iterate_cropped(tasks)
            found = {}
            for (_, objects), result in zip(asked, results):
                rows = np.dstack([result.keypoints, result.confidence])
                rows[:, ~is_known] = np.nan
                found |= {one.id: row for one, row in zip(objects, rows)}
            return found

    def _set_support(self, work: Work) -> None:
        """Encode the marked objects, unless they are those of the last time."""
        shots = work.shots()
        if not shots:
            raise ConfigError('mark points on a support picture first')
        pictures = [self._pictures[picture.key] for picture, _ in shots]
        marks = [(one.box, one.points) for _, one in shots]
        key = (pictures, marks, work.keypoints, work.edges)
        if key != self._support_key:
            self.inferencer.set_support(
                [picture.image() for picture in pictures],
                [work.array(one.points) for _, one in shots],
                work.skeleton,
                bbox=[one.box for _, one in shots],
                names=tuple(work.keypoints.values()),
            )
            self._support_key = key


@dataclass
class _Entry:
    session: DemoSession
    num_requests: int = 0
    last_seen: float = 0.0


class SessionStore:
    """Sessions by key. Who is at work keeps the place; who was idle makes room.

    Args:
        make: a new session.
        limits: see there.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        make: Callable[[], DemoSession],
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._limits, self._clock = make, limits, clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @contextmanager
    def use(self, key: str) -> Iterator[DemoSession]:
        """A user's session, a new one for a new key.

        Raises:
            NoRoomError: there are as many users as there may be.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._make_room()
                entry = self._entries[key] = _Entry(self._make())
            entry.num_requests += 1
        try:
            yield entry.session
        finally:
            with self._lock:
                entry.num_requests -= 1
                entry.last_seen = self._clock()
                self._entries.move_to_end(key)

    def check_memory(self, num_bytes: int) -> None:
        """Refuse a file that memory has no room for; idle users make room.

        Raises:
            NoRoomError: even then there is none.
        """
        with self._lock:
            while self._total() + num_bytes > self._limits.max_total_bytes:
                if not self._drop_idle():
                    raise NoRoomError(
                        'the memory for pictures is full, as others use the page too. '
                        'Your work is kept in your browser: try again later, or with '
                        'smaller or fewer pictures.'
                    )

    def drop(self, key: str) -> None:
        """Forget a user, who left."""
        with self._lock:
            self._entries.pop(key, None)

    def _total(self) -> int:
        return sum(entry.session.num_bytes for entry in self._entries.values())

    def _make_room(self) -> None:
        limit = self._limits.max_sessions
        if len(self._entries) >= limit and not self._drop_idle():
            raise NoRoomError(
                f'{limit} people use this page at the moment, and it serves no more at '
                f'a time. Your work is kept in your browser: try again in a few '
                f'minutes.'
            )

    def _drop_idle(self) -> bool:
        """Forget the user who asked nothing for longest, if it is long enough."""
        now = self._clock()
        for key, entry in self._entries.items():
            is_idle = now - entry.last_seen > self._limits.idle_seconds
            if is_idle and not entry.num_requests:
                del self._entries[key]
                return True
        return False
