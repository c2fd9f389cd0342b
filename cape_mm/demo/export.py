"""A user's work as labels that every format of ours can write."""

from __future__ import annotations

import numpy as np

from ..errors import ConfigError
from ..formats.labels import LabelledInstance, LabelledPicture, LabelSet
from .labels import Labels, Pose


def to_label_set(labels: Labels, category: str, threshold: float) -> LabelSet:
    """Support pictures as they are marked, then the predictions as they are shown.

    A support picture that was taken from the predictions is there once, as a query.
    Points that are not shown get v = 0.

    Args:
        labels: the work.
        category: name of what the pictures show.
        threshold: see :meth:`~.labels.Pose.is_shown`.

    Raises:
        ConfigError: no picture shows a point.
    """
    queries = {id(pose.picture) for pose in labels.queries}
    own = [pose for pose in labels.shots if id(pose.picture) not in queries]
    pictures = [
        _to_picture(pose, threshold)
        for pose in (*own, *labels.queries)
        if pose.is_shown(threshold).any()
    ]
    if not pictures:
        raise ConfigError('nothing to download yet: mark points, then predict')
    return LabelSet(category, labels.names, labels.edges, pictures)


def _to_picture(pose: Pose, threshold: float) -> LabelledPicture:
    is_shown = pose.is_shown(threshold)
    points = np.where(is_shown[:, None], pose.points, 0.0)
    # what the model saw of support and query alike; a tighter box is another crop
    box = np.array([0, 0, *pose.picture.size], dtype=np.float64)
    instance = LabelledInstance(
        points, np.where(is_shown, 2, 0), pose.confidence * is_shown, box
    )
    return LabelledPicture(pose.picture.name, pose.picture.size, (instance,))
