"""Pictures and bounds of the tests of the page's sessions."""

from __future__ import annotations

import cv2
from predict_cases import make_picture

from cape_mm.demo import Limits

LIMITS = Limits(max_queries=3, max_shots=2, max_points=5, max_undo=10)


def png(seed: int, size: tuple[int, int] = (64, 60)) -> bytes:
    return cv2.imencode('.png', make_picture(seed, size))[1].tobytes()
