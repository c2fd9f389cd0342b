"""What a click or a drag on a picture means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .labels import Pose
from .marking import ADD, CONNECT, MOVE
from .session import DemoSession

REACH = 0.025
"""A click this near to a point means the point; fraction of the view's longer side."""


ADDING_REACH = REACH / 2
"""The same where clicks add points, which may have to be close together."""


def point_near(
    pose: Pose, is_shown: np.ndarray, place: Sequence[float], reach: float = REACH
) -> int | None:
    """The nearest point that a click on the view means.

    Args:
        pose: the keypoints.
        is_shown: those that can be clicked, bool (K,).
        place: (x, y) in pixels of the view.
        reach: fraction of the view's longer side.
    """
    if not is_shown.any():
        return None
    distance = np.linalg.norm(pose.picture.to_view(pose.points) - place, axis=1)
    distance[~is_shown] = np.inf
    nearest = int(distance.argmin())
    is_near = distance[nearest] <= reach * max(pose.picture.view_size)
    return nearest if is_near else None


def click_support(session: DemoSession, place: Sequence[float]) -> list[str]:
    """Select, add, move or connect, as the session's mode says.

    Args:
        session: of the user.
        place: (x, y) in pixels of the view.

    Returns:
        What to say.

    Raises:
        ConfigError: no support picture, or as the action raises.
    """
    pose, is_adding = session.current_shot(), session.mode == ADD
    reach = ADDING_REACH if is_adding else REACH
    hit = point_near(pose, pose.is_placed, place, reach)
    before = session.selected
    if session.mode == CONNECT:
        if hit is not None and before is not None and hit != before:
            session.toggle_edge(before, hit)
            session.selected = None
        else:
            session.selected = hit
    elif session.mode == MOVE and before is not None and hit in (None, before):
        session.move_point(before, pose.picture.from_view(np.array(place)))
    elif hit is not None:
        session.selected = hit
        if is_adding:
            name = session.labels.names[hit]
            return [f'{name} is selected. Click farther from it for another point.']
    elif is_adding:
        session.add_point(pose.picture.from_view(np.array(place)))
    return []


def drag_support(
    session: DemoSession, start: Sequence[float], end: Sequence[float]
) -> None:
    """Move the point at the start, if there is one; places in pixels of the view."""
    pose = session.current_shot()
    hit = point_near(pose, pose.is_placed, start)
    if hit is not None:
        session.move_point(hit, pose.picture.from_view(np.array(end)))
        if session.mode == CONNECT:
            session.selected = None  # no line was begun


def click_query(session: DemoSession, place: Sequence[float]) -> None:
    """Select the point at a place, or move the selected one there."""
    pose = session.current_query()
    hit = point_near(pose, pose.is_shown(session.threshold), place)
    if hit is None and session.query_selected is not None:
        correct = pose.picture.from_view(np.array(place))
        session.correct_point(session.query_selected, correct)
    else:
        session.query_selected = hit


def drag_query(
    session: DemoSession, start: Sequence[float], end: Sequence[float]
) -> None:
    """Move the predicted point at the start, if there is one."""
    pose = session.current_query()
    hit = point_near(pose, pose.is_shown(session.threshold), start)
    if hit is not None:
        session.correct_point(hit, pose.picture.from_view(np.array(end)))
