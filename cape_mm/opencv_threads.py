"""Working without OpenCV's own threads for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_inside, _before = 0, 0


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Let OpenCV work in the calling thread alone.

    Its own threads do not survive a fork, and they go on spinning for a while after
    their work, on the cores that a network needs next: 8 % of the time of a single
    picture on two cores. The number is one for the whole process; the last of several
    threads to leave restores it.
    """
    global _inside, _before
    with _lock:
        if not _inside:
            _before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                cv2.setNumThreads(_before)
