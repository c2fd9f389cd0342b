"""What one user of the page has and can do; no web page in sight."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import ConfigError, InstanceLoadError
from ..formats.coco import write_coco
from ..formats.labels import LabelledInstance, LabelledPicture, LabelSet
from ..inference import CapeInferencer
from .labels import Labels, Pose, empty_pose
from .marking import Marking, check_inside, clean_label
from .pictures import Limits, read_upload, unique_name

BATCH_SIZE = 4

MAX_REMEMBERED = 1000
"""Users who are told that their work made room."""


class DemoSession(Marking):
    """Queries, predictions and corrections of one user, beside the marking.

    Attributes:
        category: name of what the pictures show.
        threshold: predictions of less confidence are not shown and not exported.
        query: index of the query that is shown.
        query_selected: index of the keypoint that was clicked on it last, or None.

    Args:
        inferencer: its model is shared with the other users, its support is not.
        limits: bounds of what is kept.
    """

    def __init__(
        self, inferencer: CapeInferencer, limits: Limits | None = None
    ) -> None:
        super().__init__(limits)
        # a copy has a support of its own, but the same model and lock
        self.inferencer = copy.copy(inferencer)
        self.category = 'object'
        self.threshold = 0.3
        self.query = 0
        self.query_selected: int | None = None
        self._predicted_with: tuple = ()

    def add_queries(self, files: Iterable[tuple[str, bytes]]) -> list[str]:
        """Take uploaded files as pictures to predict.

        Args:
            files: names and contents.

        Returns:
            Why files were not taken, one message each.
        """
        refused, added, taken = [], [], set(self._picture_names())
        room = self.limits.max_queries - len(self.labels.queries)
        for name, content in files:
            if len(added) >= room:
                refused.append(
                    f'only {self.limits.max_queries} pictures are taken at a time; '
                    f'tools/predict.py takes whole folders'
                )
                break
            try:
                picture = read_upload(name, content, self.limits)
            except InstanceLoadError as error:
                refused.append(str(error))
                continue
            picture = replace(picture, name=unique_name(picture.name, taken))
            taken.add(picture.name)
            added.append(empty_pose(picture, len(self.labels.names)))
        self._restart(replace(self.labels, queries=(*self.labels.queries, *added)))
        return refused

    def clear_queries(self) -> None:
        """Remove all pictures to predict, with their predictions."""
        self._restart(replace(self.labels, queries=()))

    def current_query(self) -> Pose:
        """The picture whose prediction is shown.

        Raises:
            ConfigError: there is none.
        """
        if not self.labels.queries:
            raise ConfigError('upload pictures to predict first (step 3)')
        return self.labels.queries[self.query]

    def show_query(self, index: int) -> None:
        """Show another picture's prediction; behind the last comes the first."""
        self.current_query()
        self.query = index % len(self.labels.queries)
        self.query_selected = None

    def predict(self, tell: Callable[[int, int], None] | None = None) -> None:
        """Predict all queries; what people corrected stays.

        Args:
            tell: is called with the numbers of finished and of all pictures.

        Raises:
            ConfigError: nothing is marked, or there is no query.
        """
        labels = self.labels
        marked = [shot for shot in labels.shots if shot.is_placed.any()]
        if not marked:
            raise ConfigError('mark points on a support picture first (step 2)')
        self.current_query()
        points = [shot.picture.to_kept(shot.points) for shot in marked]
        images = [shot.picture.image for shot in marked]
        self.inferencer.set_support(images, points, labels.edges, names=labels.names)
        is_known = self.inferencer.support.is_known
        inputs = [pose.picture.image for pose in labels.queries]
        queries = []
        for pose, result in zip(
            labels.queries, self.inferencer.iterate(inputs, batch_size=BATCH_SIZE)
        ):
            found = pose.picture.from_kept(result.keypoints[0])
            queries.append(pose.predict(found, result.confidence[0], is_known))
            if tell is not None:
                tell(len(queries), len(inputs))
        self._change(replace(labels, queries=tuple(queries)))
        self._predicted_with = self._basis()

    @property
    def is_predicted(self) -> bool:
        """There is a prediction."""
        return any(pose.is_predicted for pose in self.labels.queries)

    @property
    def is_stale(self) -> bool:
        """Support or queries changed after the prediction."""
        return self.is_predicted and (
            self._predicted_with != self._basis()
            or not all(pose.is_predicted for pose in self.labels.queries)
        )

    def correct_point(self, index: int, point: Sequence[float] | None) -> None:
        """Move a keypoint of the shown prediction; None: the picture has none."""
        self._check_index(index)
        pose = self.current_query()
        if point is not None:
            point = check_inside(point, pose)
        self._change(self.labels.put(pose.picture, index, point))

    def use_as_support(self) -> None:
        """Take the shown prediction, as it is shown, as a further support picture.

        The points that it shows count as set by the user from now on. A picture that is
        a support already is replaced.

        Raises:
            ConfigError: it shows no point, or there are too many support pictures.
        """
        pose = self.current_query()
        is_shown = pose.is_shown(self.threshold)
        if not is_shown.any():
            raise ConfigError(
                'this picture shows no point: lower the threshold or correct it first'
            )
        shots, queries = list(self.labels.shots), list(self.labels.queries)
        places = [i for i, s in enumerate(shots) if s.picture is pose.picture]
        if places:
            shots[places[0]] = pose.only(is_shown)
        else:
            self._check_shots()
            shots.append(pose.only(is_shown))
        queries[self.query] = pose.confirm(is_shown)
        labels = replace(self.labels, shots=tuple(shots), queries=tuple(queries))
        self._change(labels)

    def export_coco(self, path: str | Path) -> Path:
        """Write all marked and predicted pictures as a COCO keypoint file.

        Raises:
            ConfigError: nothing is marked, or the file can't be written.
        """
        labels = to_label_set(self.labels, self.category, self.threshold)
        return write_coco(labels, path)[0]

    def set_threshold(self, value: float) -> None:
        """Show predictions from this confidence on, in [0, 1]."""
        self.threshold = float(np.clip(value, 0, 1))

    def set_category(self, name: str) -> None:
        """Name what the pictures show."""
        self.category = clean_label(name) or 'object'

    def _show(self, labels: Labels) -> None:
        super()._show(labels)
        self.query_selected = None
        self.query = max(0, min(self.query, len(labels.queries) - 1))

    def _basis(self) -> tuple:
        """What a prediction depends on."""
        return self.labels.shots, self.labels.edges


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
