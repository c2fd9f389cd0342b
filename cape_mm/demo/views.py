"""What the page shows of a session: pictures, tables and hints, without the page."""

from __future__ import annotations

import html

import cv2
import numpy as np

from ..visualization import draw_pose
from .labels import Pose
from .marking import ADD, CONNECT, MOVE
from .pictures import rescale
from .session import DemoSession

THUMBNAIL = 240
LABEL_SCALE = 0.001
"""Size of OpenCV's letters per pixel of the view's longer side."""

NUMBER_GAP, RING = 0.018, 0.031
"""From a point to its number, and of the selected point's ring: shares of that side."""


def draw_view(
    pose: Pose,
    edges: tuple[tuple[int, int], ...],
    selected: int | None = None,
    threshold: float = 0.0,
) -> np.ndarray:
    """A picture with its keypoints and their numbers, RGB uint8.

    Args:
        pose: the keypoints.
        edges: of the skeleton.
        selected: keypoint with a ring around it.
        threshold: predictions of less confidence are left out.
    """
    points, is_shown = pose.picture.to_view(pose.points), pose.is_shown(threshold)
    image = pose.picture.view()
    if len(points):
        image = draw_pose(image, points, is_shown, edges, pose.confidence)
    if selected is not None and selected < len(points) and is_shown[selected]:
        _draw_ring(image, points[selected])
    for index in np.flatnonzero(is_shown):
        gap = RING + 0.008 if index == selected else NUMBER_GAP
        _draw_number(image, points[index], index + 1, gap * max(image.shape[:2]))
    return np.ascontiguousarray(image[..., ::-1])


def _draw_number(image: np.ndarray, point: np.ndarray, number: int, gap: float) -> None:
    """Write a number beside a point, on the inner side near the right border."""
    unit = max(image.shape[:2])
    scale, text = LABEL_SCALE * unit, str(number)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), _ = cv2.getTextSize(text, font, scale, 1)
    left = point[0] + gap
    if left + width > image.shape[1]:
        left = point[0] - gap - width
    bottom = np.clip(point[1] - 0.4 * gap, height + 2, image.shape[0] - 2)
    place = (round(float(left)), round(float(bottom)))
    thick = max(1, round(unit / 700))
    cv2.putText(image, text, place, font, scale, (0, 0, 0), 3 * thick, cv2.LINE_AA)
    cv2.putText(image, text, place, font, scale, (255, 255, 255), thick, cv2.LINE_AA)


def _draw_ring(image: np.ndarray, point: np.ndarray) -> None:
    unit = max(image.shape[:2])
    center = tuple(np.rint(point).astype(int).tolist())
    for color, width in (((0, 0, 0), unit / 160), ((255, 255, 255), unit / 400)):
        cv2.circle(
            image, center, round(RING * unit), color, max(1, round(width)), cv2.LINE_AA
        )


def support_view(session: DemoSession) -> np.ndarray | None:
    """The support picture that is shown, RGB; None: there is none."""
    if not session.labels.shots:
        return None
    return draw_view(session.current_shot(), session.labels.edges, session.selected)


def query_view(session: DemoSession) -> np.ndarray | None:
    """The query that is shown, RGB; None: there is none."""
    if not session.labels.queries:
        return None
    pose, edges = session.current_query(), session.labels.edges
    return draw_view(pose, edges, session.query_selected, session.threshold)


def thumbnails(session: DemoSession) -> list[tuple[np.ndarray, str]]:
    """All queries, small, with captions."""
    edges, threshold = session.labels.edges, session.threshold
    found = []
    for pose in session.labels.queries:
        count = f'{pose.is_shown(threshold).sum()}/{len(pose.points)}'
        note = count if pose.is_predicted else 'not predicted'
        small = _draw_small(pose, edges, threshold)
        found.append((small, f'{note}: {pose.picture.name}'))
    return found


def _draw_small(
    pose: Pose, edges: tuple[tuple[int, int], ...], threshold: float
) -> np.ndarray:
    width, height = pose.picture.kept_size
    scale = THUMBNAIL / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = cv2.resize(pose.picture.image, size, interpolation=cv2.INTER_AREA)
    if len(pose.points):
        points = rescale(pose.points, pose.picture.size, size)
        is_shown = pose.is_shown(threshold)
        image = draw_pose(image, points, is_shown, edges, pose.confidence)
    return np.ascontiguousarray(image[..., ::-1])


def support_rows(session: DemoSession) -> list[list]:
    """Table of the shown support picture: number, name, x, y."""
    if not session.labels.shots:
        return [[i + 1, name, '', ''] for i, name in enumerate(session.labels.names)]
    points = session.current_shot().points
    return [
        [i + 1, name, *_coordinates(point)]
        for i, (name, point) in enumerate(zip(session.labels.names, points))
    ]


def query_rows(session: DemoSession) -> list[list]:
    """Table of the shown query: number, name, x, y, confidence."""
    if not session.labels.queries:
        return []
    pose = session.current_query()
    is_shown = pose.is_shown(session.threshold)
    rows = []
    for i, name in enumerate(session.labels.names):
        place = _coordinates(pose.points[i]) if is_shown[i] else ['', '']
        rows.append([i + 1, name, *place, _certainty(pose, i)])
    return rows


def _coordinates(point: np.ndarray) -> list[str]:
    return [f'{value:.1f}' if np.isfinite(value) else '' for value in point]


def _certainty(pose: Pose, index: int) -> str:
    if pose.is_manual[index]:
        return 'by hand' if pose.is_placed[index] else 'not there'
    return f'{pose.confidence[index]:.2f}' if pose.is_placed[index] else ''


def support_hint(session: DemoSession) -> str:
    """What the next click on the support picture does."""
    if not session.labels.shots:
        return 'Upload a picture in which you can see all the points.'
    names, selected, mode = session.labels.names, session.selected, session.mode
    chosen = None if selected is None else f'{selected + 1} {names[selected]}'
    if mode == CONNECT:
        if chosen is None:
            return 'Click the first of two points.'
        return f'From {chosen}: click the other point (again: takes the line away).'
    if mode == MOVE:
        if chosen is None:
            return 'Click the point that you want to move.'
        return f'Click where {chosen} belongs.'
    missing = np.flatnonzero(~session.current_shot().is_placed)
    if mode == ADD and len(missing):
        following = int(missing[0])
        return f'Next click marks: {following + 1} {names[following]}'
    return f'Next click adds point {len(names) + 1}. Drag a point to move it.'


def query_hint(session: DemoSession) -> str:
    """What to do with the query that is shown."""
    total = len(session.labels.queries)
    if not total:
        return 'Predictions appear here.'
    name = session.current_query().picture.name
    place = f'Picture {session.query + 1} of {total}: {name}'
    if session.query_selected is not None:
        chosen = session.labels.names[session.query_selected]
        return f'{place}. Click where {chosen} belongs.'
    return f'{place}. Drag a wrong point to its place.'


def status(session: DemoSession) -> str:
    """Where the work stands."""
    labels = session.labels
    marked = sum(int(shot.is_placed.any()) for shot in labels.shots)
    parts = [
        _count(len(labels.names), 'point'),
        _count(len(labels.edges), 'line'),
        f'{_count(marked, "support picture")} marked',
        f'{_count(len(labels.queries), "picture")} to predict',
    ]
    if session.is_stale:
        parts.append('something changed since the prediction: press Predict again')
    return ' · '.join(parts)


def _count(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def escaped(text: str) -> str:
    """A text that may hold names of files and points, for a Markdown field."""
    marked = html.escape(text)
    return ''.join(f'\\{c}' if c in '*_`[]#~|$' else c for c in marked)
