"""Pictures, bounds and works of the tests of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
from predict_cases import KEYPOINTS, NAMES, SIZE, SKELETON, make_picture

from cape_mm.demo import Limits

LIMITS = Limits(
    **dict(max_file_bytes=100_000, max_queries=3, max_shots=2, max_points=5),
    **dict(max_objects=3, max_body_bytes=50_000, max_sessions=2),
)
SUPPORT, QUERY, OTHER = (letter * 20 for letter in 'abc')
"""Keys of pictures."""


def png(seed: int, size: tuple[int, int] = SIZE) -> bytes:
    return cv2.imencode('.png', make_picture(seed, size))[1].tobytes()


def work_of(
    boxes: Mapping[str, Sequence] = {QUERY: [None]},  # noqa: B006 (never changed)
    box: Sequence[float] | None = None,
    **changes,
) -> dict:
    """A work as the browser sends it: one marked support, and queries.

    Args:
        boxes: of every query's objects; these have the ids 10, 11, ...
        box: of the support's object, which has the id 9.
        changes: to the work's entries.
    """
    points = {str(i + 1): point for i, point in enumerate(KEYPOINTS.tolist())}
    marked = dict(id=9, box=box, shot=False, points=points)
    ids = iter(range(10, 100))
    queries = [
        _picture(key, False, [_object(next(ids), one) for one in own])
        for key, own in boxes.items()
    ]
    work = dict(
        category='mouse',
        next=100,
        keypoints=[dict(id=i, name=name) for i, name in enumerate(NAMES, start=1)],
        edges=[[a + 1, b + 1] for a, b in SKELETON],
        pictures=[_picture(SUPPORT, True, [marked]), *queries],
    )
    return work | changes


def _object(number: int, box: Sequence[float] | None) -> dict:
    return dict(id=number, box=box, shot=False, points={})


def _picture(key: str, is_support: bool, objects: list[dict]) -> dict:
    name = f'{key[0]}.png'
    return dict(key=key, name=name, size=SIZE, support=is_support, objects=objects)
