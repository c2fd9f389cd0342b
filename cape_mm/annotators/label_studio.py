"""A back end of Label Studio: annotated tasks are the supports of all others.

Which tasks are annotated is asked anew for every prediction: a correction counts at
once, and nothing depends on a webhook that got lost. The version of the predictions
changes with the supports, by which Label Studio knows what is out of date.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..errors import CapeError, ConfigError, InstanceLoadError, MissingDataError
from ..formats import LabelledInstance
from ..formats.files import expecting
from ..formats.label_studio import instance_results
from ..inference import CapeInferencer
from ..inference.boxes import whole_image
from ..inference.support import read_shots
from ..structures.geometry import clean_box
from .label_studio_client import LabelStudioClient
from .label_studio_tasks import (
    Interface,
    ObjectBox,
    Supports,
    TaskShot,
    find_boxes,
    find_supports,
    read_interface,
    version_of,
)

MAX_SHOTS = 5
TIME_LIMIT = 90
"""Seconds for one request, of the 100 that Label Studio waits."""

log = logging.getLogger('cape_mm.label_studio')


class LabelStudioBackend:
    """Predicts tasks of any number of projects; threads may share it.

    Args:
        client: of the server.
        make_inferencer: loads the model; once, and with ``adapts`` for every support.
        name: of the model, part of the version of the predictions.
        tag: tasks that were annotated with this choice are the supports; None: all.
        adapts: train a little on the supports, in the background.
    """

    def __init__(
        self,
        client: LabelStudioClient,
        make_inferencer: Callable[[], CapeInferencer],
        name: str = '',
        tag: str | None = None,
        adapts: bool = False,
    ) -> None:
        self._client, self._make_inferencer = client, make_inferencer
        self._name, self._tag, self._adapts = name, tag, adapts
        self._inferencer, self._version = make_inferencer(), ''
        self._adapted, self._adapted_version = self._inferencer, ''
        self._lock = threading.Lock()  # around inferencers and versions of supports
        self._worker = ThreadPoolExecutor(1)
        self._waiting: set[int] = set()
        self._told: dict[int, str] = {}

    def version(self, project: int, config: object) -> str:
        """Version of the predictions that a project would get now.

        Args:
            project: its id.
            config: its labelling configuration.

        Raises:
            ConfigError: the configuration has no keypoints.
            MissingDataError: the server can't be asked for the annotated tasks.
        """
        return self._full_version(self._find(project, read_interface(config)))

    def refresh(self, project: int, config: object) -> None:
        """Look at a project's annotations in the background, and adapt to them."""
        if project not in self._waiting:
            self._waiting.add(project)
            self._worker.submit(self._refresh, project, config)

    def _refresh(self, project: int, config: object) -> None:
        self._waiting.discard(project)
        try:
            interface = read_interface(config)
            supports = self._find(project, interface)
            latest = next(iter(supports.values()), [])
            if self._adapts and latest and version_of(latest) != self._adapted_version:
                self._adapt(latest, interface)
        except CapeError as error:
            log.warning('project %d: %s', project, error)
        except Exception:  # nobody waits for the worker's answer
            log.exception('project %d: a defect, please report it', project)

    def _adapt(self, shots: Sequence[TaskShot], interface: Interface) -> None:
        """Train a second model, while the first one predicts."""
        inferencer = self._make_inferencer()
        self._set_support(inferencer, shots, interface)
        log.info('%s', inferencer.adapt())
        with self._lock:
            self._adapted, self._adapted_version = inferencer, version_of(shots)

    def _find(self, project: int, interface: Interface) -> Supports:
        tasks = self._client.annotated_tasks(project, self._tag)
        supports, notes = find_supports(tasks, interface, MAX_SHOTS, self._tag)
        used = [shot.task for shots in supports.values() for shot in shots]
        told = '; '.join([f'{len(used)} supports, of the tasks {used}', *notes])
        if self._told.get(project) != told:
            self._told[project] = told
            log.info('project %d: %s', project, told)
        return supports

    def _full_version(self, supports: Supports) -> str:
        every = [shot for shots in supports.values() for shot in shots]
        is_adapted = self._adapted_version in map(version_of, supports.values())
        return version_of(every, self._name, is_adapted)

    def predict(
        self,
        project: int,
        config: object,
        tasks: Sequence[dict],
        context: object = None,
    ) -> list[dict]:
        """Predict tasks.

        Args:
            project: its id.
            config: its labelling configuration.
            tasks: as Label Studio sends them.
            context: what it sends while somebody draws; boxes in it are not repeated.

        Returns:
            One entry per task: a prediction, or a dictionary whose ``error`` says why
            there is none.

        Raises:
            ConfigError: the configuration has no keypoints, or no task is annotated.
            MissingDataError: the server can't be asked for the annotated tasks.
        """
        deadline = time.monotonic() + TIME_LIMIT
        interface = read_interface(config)
        supports = self._find(project, interface)
        if not supports:
            chosen = f' and choose {self._tag!r}' if self._tag else ''
            raise ConfigError(
                f'project {project}: {self._told[project]}. Mark the keypoints on one '
                f'picture first{chosen}.'
            )
        version, entries, problem = self._full_version(supports), [], ''
        for task in tasks:
            if not problem and time.monotonic() > deadline:
                problem = f'no time is left after {TIME_LIMIT} s: ask again'
            entry = dict(error=problem)
            try:
                if not problem:
                    with expecting('Label Studio', 'the task'):
                        entry = self._predict_task(task, interface, supports, context)
                    entry['model_version'] = version
            except CapeError as error:
                entry['error'] = f'task {task.get("id")}: {error}'
                log.warning('%s', entry['error'])
                if isinstance(error, MissingDataError):  # and so it is for all others
                    problem = str(error)
            entries.append(entry)
        if problem:
            log.warning('project %d, not all tasks: %s', project, problem)
        return entries

    def _predict_task(
        self, task: dict, interface: Interface, supports: Supports, context: object
    ) -> dict:
        image = self._client.picture(task['data'].get(interface.data_key))
        size = image.shape[1::-1]
        found = find_boxes(task, interface, size, context)
        found = found or [ObjectBox(None, '', whole_image(size)[0])]
        results, scores = [], []
        for one in sorted(found, key=lambda one: one.label):
            shots = supports.get(one.label) or supports.get('')
            if not one.label and len(supports) == 1:
                [shots] = supports.values()
            if shots and clean_box(one.box, size) is not None:
                instance = self._predict_object(image, one.box, shots, interface)
                label = one.label if context is None else None
                names, tags = interface.names, interface.tags
                results += instance_results(
                    instance, one.region, size, names, label or None, tags
                )
                scores.append(instance.score)
        if not results:
            raise ConfigError(
                f'it has boxes, but none inside the picture with a label of a support: '
                f'{sorted(supports)}'
            )
        return dict(result=results, score=float(np.mean(scores)))

    def _predict_object(
        self,
        image: np.ndarray,
        box: np.ndarray,
        shots: Sequence[TaskShot],
        interface: Interface,
    ) -> LabelledInstance:
        version = version_of(shots)
        with self._lock:
            inferencer = self._inferencer
            if version == self._adapted_version:
                inferencer = self._adapted
            elif version != self._version:
                self._version = ''
                self._set_support(inferencer, shots, interface)
                self._version = version
            [result] = inferencer(image, box[None])
            visibility = np.where(inferencer.support.is_known, 2, 0)
        points = np.clip(result.keypoints[0], 0, result.image_size)
        return LabelledInstance(points, visibility, result.confidence[0], box)

    def _set_support(
        self,
        inferencer: CapeInferencer,
        shots: Sequence[TaskShot],
        interface: Interface,
    ) -> None:
        """Fetch the pictures of the supports; those that can't be used are left out."""
        ready, reason = [], ''
        for shot in shots:
            one = shot.instance
            try:
                image = self._client.picture(shot.address)
                size = image.shape[1::-1]
                if size != shot.size:
                    raise ConfigError(
                        f'annotated on {shot.size} pixels, but has {size}'
                    )
                read_shots(image, one.keypoints, one.visibility, one.bbox)
            except (ConfigError, InstanceLoadError) as error:
                reason = f'task {shot.task} is no support: {error}'
                log.warning('%s', reason)
            else:
                ready.append((image, one))
        if not ready:
            raise ConfigError(reason)
        inferencer.set_support(
            [image for image, _ in ready],
            [one.keypoints for _, one in ready],
            visibility=[one.visibility for _, one in ready],
            bbox=[one.bbox for _, one in ready],
            names=interface.names,
        )
