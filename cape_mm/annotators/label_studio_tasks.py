"""Label Studio's tasks: what they mark, where their objects are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from ..errors import AnnotationFormatError, CapeError, ConfigError
from ..formats import LabelledInstance
from ..formats.files import expecting, shorten
from ..formats.label_studio import BOX, Tags, is_turned, labelled_results, read_results
from ..formats.labels import plain

VERSION = 'cape_mm.'
"""Versions of the predictions made here begin so."""


class Interface(NamedTuple):
    """What a labelling configuration asks for.

    Attributes:
        tags: names of its tags.
        data_key: under which a task has the address of its picture.
        names: of the K keypoints.
    """

    tags: Tags
    data_key: str
    names: tuple[str, ...]


class TaskShot(NamedTuple):
    """An object that somebody marked.

    Attributes:
        task: id of the task.
        time: when it was annotated last.
        address: of its picture.
        size: (w, h) of the picture as it was labelled.
        label: of its box; empty: it has none.
        instance: its keypoints, in the order of the interface.
    """

    task: int
    time: str
    address: object
    size: tuple[int, int]
    label: str
    instance: LabelledInstance


class ObjectBox(NamedTuple):
    """Where an object is: id of the region, label, and (x, y, w, h) in pixels."""

    region: str | None
    label: str
    box: np.ndarray


Supports = dict[str, list[TaskShot]]
"""Marked objects by the label of their boxes."""


def read_interface(config: object) -> Interface:
    """Read a labelling configuration.

    Raises:
        ConfigError: it is none, or has no KeyPointLabels on an Image.
    """
    text = config if isinstance(config, str) else ''
    if re.search(r'<!(DOCTYPE|ENTITY)', text):
        raise ConfigError('the labelling configuration has entities')
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ConfigError(f'the labelling configuration is no XML: {error}') from error
    images = {tag.get('name'): tag.get('value', '') for tag in tree.iter('Image')}
    boxes = {tag.get('toName'): tag.get('name') for tag in tree.iter('RectangleLabels')}
    for tag in tree.iter('KeyPointLabels'):
        image = tag.get('toName')
        names = [
            label.get('alias') or label.get('value') for label in tag.iter('Label')
        ]
        names = tuple(dict.fromkeys(plain(name) for name in names if name))
        if image in images and names:
            tags = Tags(image, tag.get('name'), boxes.get(image))
            return Interface(tags, images[image].lstrip('$'), names)
    raise ConfigError(
        'the labelling configuration has no KeyPointLabels of an Image with a Label '
        'for every keypoint'
    )


def find_supports(
    tasks: Iterable[dict], interface: Interface, num: int, tag: str | None = None
) -> tuple[Supports, list[str]]:
    """The marked objects that predictions are made from.

    Args:
        tasks: the latest first.
        interface: of their project.
        num: so many are taken, of every label of a box.
        tag: only of annotations with this choice.

    Returns:
        The objects, and what is wrong with tasks that are left out.
    """
    supports: Supports = {}
    notes = []
    for task in tasks:
        try:
            with expecting('Label Studio', 'its annotation'):
                for shot in _shots_of(task, interface, tag):
                    own = supports.setdefault(shot.label, [])
                    own += [shot] if len(own) < num else []
        except CapeError as error:
            notes.append(f'task {task.get("id")} is no support: {error}')
    return supports, notes


def _shots_of(task: dict, interface: Interface, tag: str | None) -> list[TaskShot]:
    given = [
        one
        for one in _newest_first(task.get('annotations'))
        if tag is None
        or any(tag in result['value'].get('choices', ()) for result in one['result'])
    ]
    wanted = interface.tags.keypoint, interface.tags.box
    results = labelled_results(dict(annotations=given))
    results = [result for result in results if result['from_name'] in wanted]
    if not results:
        return []
    if is_turned(results):
        raise AnnotationFormatError('its picture was turned: turn the file instead')
    picture = read_results('', results, 'its annotation')
    known = task['id'], str(given[0]['updated_at'])
    address = task['data'].get(interface.data_key)
    shots = []
    for one in picture.objects:
        label = one.boxes[0][0] if one.boxes else ''
        instance = one.instance(interface.names, label)
        if (instance.visibility > 0).any():
            shots.append(TaskShot(*known, address, picture.size, label, instance))
        elif one.marks:
            raise AnnotationFormatError(
                f'it marks {shorten(sorted(one.marks))}, but the keypoints of the '
                f'labelling configuration are {shorten(interface.names)}'
            )
    return shots


def _newest_first(entries: object) -> list[dict]:
    """Annotations or drafts in full; Label Studio may give their ids instead."""
    full = [one for one in entries or () if isinstance(one, dict)]
    return sorted(full, key=lambda one: str(one.get('updated_at')), reverse=True)


def version_of(shots: Iterable[TaskShot], *parts: object) -> str:
    """A version that changes with supports, and with ``parts``."""
    told = repr(([(shot.task, shot.time, shot.label) for shot in shots], parts))
    return VERSION + hashlib.sha256(told.encode()).hexdigest()[:8]


def find_boxes(
    task: dict, interface: Interface, size: tuple[int, int], context: object = None
) -> list[ObjectBox]:
    """Boxes of a task's objects: the first that there are.

    They are looked for in what is just being drawn, in drafts, annotations and in
    predictions of others.

    Args:
        task: as Label Studio sends it.
        interface: of its project.
        size: (w, h) of the picture.
        context: what Label Studio sends while somebody draws.
    """
    drawn = [context] if isinstance(context, dict) else []
    kinds = 'drafts', 'annotations', 'predictions'
    for entry in (
        *drawn,
        *(e for kind in kinds for e in _newest_first(task.get(kind))),
    ):
        is_ours = str(entry.get('model_version')).startswith(VERSION)
        found = [
            one | dict(original_width=size[0], original_height=size[1])
            for one in entry.get('result') or ()
            if one.get('type') == BOX and one['from_name'] == interface.tags.box
        ]
        if found and not is_ours and not entry.get('was_cancelled'):
            marked = [read_results('', [one], '').objects[0] for one in found]
            return [
                ObjectBox(str(one['id']), label, np.array(box))
                for one, mark in zip(found, marked)
                for label, box in mark.boxes[:1]
            ]
    return []
