"""Label Studio: its JSON export, https://labelstud.io/guide/export.

A task has results in per cent of the picture: ``keypointlabels`` (one per keypoint,
labelled with its name) and ``rectanglelabels``, which keypoints name as ``parentID``.
The tag Labels gives results of type ``labels``. A keypoint without ``parentID`` is of
the box that it lies in; without any box all keypoints of a task are one object. Labels
with confidences are written as ``predictions``, which Label Studio shows as
pre-annotations, others as ``annotations``. Hidden keypoints and the skeleton have no
place in the format.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np

from ..errors import AnnotationFormatError
from ..utils.json_file import read_json
from .files import expecting, open_for_writing, shorten, write_list, write_text
from .labels import LabelledInstance, LabelledPicture, LabelSet, plain
from .marks import MarkedObject, MarkedPicture, collect

LOCAL_FILES = '/data/local-files/?d='
MODEL_VERSION = 'cape_mm'
POINT, BOX = 'keypointlabels', 'rectanglelabels'
LABELS = (POINT, BOX, 'labels')
"""Types of results that tell a label; the last is that of the tag Labels."""
DATA_KEYS = ('image', 'img', 'ocr')
PICTURE = re.compile(r'\.(jpe?g|png|bmp|tiff?|webp|gif)(\?|$)', re.IGNORECASE)
UPLOADED = re.compile(r'^[0-9a-f]{8}-')
"""Label Studio puts this before the name of an uploaded file."""


class Tags(NamedTuple):
    """Names of the tags of a labelling interface; ``box`` is None without one."""

    image: str
    keypoint: str
    box: str | None


OWN_TAGS = Tags('image', 'keypoint', 'box')
"""Of :func:`interface`."""


def is_label_studio(content: object) -> bool:
    """Whether the content of a JSON file has Label Studio's form."""
    return (
        isinstance(content, list)
        and len(content) > 0
        and isinstance(content[0], dict)
        and 'data' in content[0]
    )


def read_label_studio(path: str | Path, category: str | None = None) -> LabelSet:
    """Read an export in the format "JSON".

    Of several annotations of a picture the first counts that marks something and was
    not skipped. Pictures that were turned for labelling are left out: their points
    belong to the turned picture.

    Args:
        path: the file.
        category: label of the boxes of the objects to read, see
            :func:`~.marks.collect`.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no such export, marks no keypoint, or an object has
            two points of one label.
        ConfigError: the category is not there, or has to be named.
    """
    content = read_json(path)
    if not is_label_studio(content):
        raise AnnotationFormatError(f'{path} is no list of tasks of Label Studio')
    pictures, turned = [], []
    with expecting('Label Studio', path):
        for task in content:
            if not (results := labelled_results(task)):
                continue
            name = _file_name(task['data'])
            if is_turned(results):
                turned.append(name)
            else:
                pictures.append(read_results(name, results, f'{path}: {name}'))
    notes = []
    if turned:
        notes.append(
            f'{len(turned)} pictures left out, which were turned while they were '
            f'labelled (image_rotation): turn the files instead: {shorten(turned)}'
        )
    return collect(pictures, category, 'object', path, notes)


def _file_name(data: dict) -> str:
    """Path of a task's picture: without address, upload folder and upload prefix."""
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    known = [texts[key] for key in DATA_KEYS if key in texts]
    found = known or [text for text in texts.values() if PICTURE.search(text)]
    if len(found) != 1 and not known:
        raise ValueError(
            f'a task names its picture as {" or ".join(DATA_KEYS)}, but has '
            f'{sorted(data)}, of which {len(found)} are names of pictures'
        )
    parts = urlsplit(found[0])
    if parts.scheme == 'data':
        raise ValueError('a task holds its picture itself (data:), not a name of it')
    if parts.path.rstrip('/').endswith('local-files'):
        return parse_qs(parts.query)['d'][0]
    has_address = len(parts.scheme) > 1 or parts.path.startswith('/data/')
    path = unquote(parts.path if has_address else found[0])
    if '/upload/' in f'/{path}':
        return UPLOADED.sub('', path.rsplit('/', 1)[1])
    if parts.scheme == 'file':  # absolute, but for the slash before a drive
        return re.sub('^/(?=[A-Za-z]:)', '', path)
    return path.lstrip('/') if has_address else path


def labelled_results(task: dict) -> list[dict]:
    """Labelled points and boxes of the annotation of a task that counts."""
    given = task.get('annotations') or task.get('predictions') or []
    for annotation in given:
        if not annotation.get('was_cancelled'):
            found = [result for result in annotation['result'] if _is_labelled(result)]
            if found:
                return found
    return []


def is_turned(results: Sequence[dict]) -> bool:
    """Whether the picture was turned for labelling, and its points with it."""
    return any(result.get('image_rotation') for result in results)


def _is_labelled(result: dict) -> bool:
    """Whether it is a point or a box, and names its label."""
    value = result.get('value') or {}
    return result.get('type') in LABELS and 'x' in value and 'radiusX' not in value


def read_results(file_name: str, results: Sequence[dict], where: str) -> MarkedPicture:
    """The objects that the results of one annotation mark.

    Args:
        file_name: of the picture.
        results: see :func:`labelled_results`.
        where: for messages.

    Raises:
        AnnotationFormatError: an object has two points of one label.
    """
    size = (int(results[0]['original_width']), int(results[0]['original_height']))
    objects: dict[object, MarkedObject] = {}
    free = []
    for result in results:
        value, is_box = result['value'], 'height' in result['value']
        place = np.array([value['x'], value['y']]) * size / 100
        points = [(label, place, 2, result.get('score')) for label in _labels(result)]
        key = result['id'] if is_box else result.get('parentID')
        if key is None:
            free += points
            continue
        one = objects.setdefault(key, _new_object(where))
        if is_box:
            sides = np.array([value['width'], value['height']]) * size / 100
            box = _upright(place, sides, value.get('rotation') or 0)
            for label in _labels(result):
                one.add_box(label, box)
        for point in points if not is_box else ():
            one.add(*point)
    boxed = [one for one in objects.values() if one.boxes]
    if free and not boxed:
        boxed = [objects.setdefault(None, _new_object(where))]
    for point in free:
        min(boxed, key=lambda one: _misfit(one, *point[:2])).add(*point)
    return MarkedPicture(file_name, size, list(objects.values()))


def _new_object(where: str) -> MarkedObject:
    return MarkedObject(where, ' by boxes around them, or regions with parentID')


def _labels(result: dict) -> list[str]:
    return result['value'][result['type']]


def _misfit(one: MarkedObject, label: str, point: np.ndarray) -> tuple:
    """How little a point seems to be of an object, for comparison.

    Its box is farther away, has such a point already, or is the larger one.
    """
    if not one.boxes:
        return ()
    x, y, w, h = one.boxes[0][1]
    outside = np.maximum([x - point[0], y - point[1]], point - np.array([x + w, y + h]))
    return float(np.maximum(outside, 0).sum()), plain(label) in one.marks, w * h


def _upright(corner: np.ndarray, sides: np.ndarray, rotation: float) -> tuple:
    """(x, y, w, h) around a box that is turned clockwise about its first corner."""
    sin, cos = np.sin(np.deg2rad(rotation)), np.cos(np.deg2rad(rotation))
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * sides
    corners = corner + corners @ np.array([[cos, sin], [-sin, cos]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    return (*low, *(high - low))


def write_label_studio(
    labels: LabelSet, path: str | Path, prefix: str = LOCAL_FILES
) -> list[Path]:
    """Write a file of tasks to import, and the labelling interface that fits it.

    Args:
        labels: what to write.
        path: the JSON file; the interface goes beside it, as ``<name>.config.xml``.
        prefix: address before every picture's path, by default that of Label Studio's
            local storage.

    Raises:
        ConfigError: a file can't be written.
    """
    path = Path(path)
    tasks = (_task(picture, labels, prefix) for picture in labels.pictures)
    with open_for_writing(path) as file:
        write_list(file, tasks)
        file.write('\n')
    return [path, write_text(path.with_suffix('.config.xml'), interface(labels))]


def interface(labels: LabelSet) -> str:
    """The labelling interface: a box for the category, a point for every keypoint."""
    points = '\n'.join(
        f'    <Label value="{html.escape(name)}"/>' for name in labels.keypoint_names
    )
    return (
        '<View>\n  <Image name="image" value="$image"/>\n'
        '  <RectangleLabels name="box" toName="image">\n'
        f'    <Label value="{html.escape(labels.category)}"/>\n'
        '  </RectangleLabels>\n'
        '  <KeyPointLabels name="keypoint" toName="image">\n'
        f'{points}\n  </KeyPointLabels>\n</View>\n'
    )


def _task(picture: LabelledPicture, labels: LabelSet, prefix: str) -> dict[str, Any]:
    size = picture.size
    names, label = labels.keypoint_names, labels.category
    results = [
        result
        for number, instance in enumerate(picture.instances)
        for result in instance_results(
            instance, f'instance{number}', size, names, label
        )
    ]
    is_predicted = any(i.confidence is not None for i in picture.instances)
    entry: dict[str, Any] = dict(result=results)
    if is_predicted:
        scores = [instance.score for instance in picture.instances]
        entry.update(model_version=MODEL_VERSION)
        entry.update(score=round(sum(scores) / len(scores), 4))
    kind = 'predictions' if is_predicted else 'annotations'
    # or a # in a name would end the address
    return {'data': dict(image=prefix + quote(picture.name)), kind: [entry]}


def instance_results(
    instance: LabelledInstance,
    parent: str | None,
    size: tuple[int, int],
    names: Sequence[str],
    label: str | None,
    tags: Tags = OWN_TAGS,
) -> list[dict]:
    """The regions of one object.

    Args:
        instance: the object.
        parent: id of the region of its box; None: its points are of no box.
        size: (w, h) of the picture.
        names: of the K keypoints.
        label: of its box; None leaves the box out.
        tags: of the labelling interface.
    """
    shared = dict(original_width=size[0], original_height=size[1], image_rotation=0)
    shared['to_name'] = tags.image
    results: list[dict] = []
    if label is not None:
        x, y, w, h = instance.box()
        corner = _percent((x, y), size) | dict(rotation=0)
        extent = dict(zip(('width', 'height'), _percent((w, h), size).values()))
        value = corner | extent | {BOX: [label]}
        results.append(dict(id=parent, type=BOX, from_name=tags.box, value=value))
    for name, point, _, score in instance.labelled(names):
        value = _percent(point, size) | {'width': 0.5, POINT: [name]}
        region = dict(id=f'{parent or "point"}_{name}', type=POINT, value=value)
        region.update(from_name=tags.keypoint)
        if parent is not None:
            region['parentID'] = parent
        if score is not None:
            region['score'] = score
        results.append(region)
    return [result | shared for result in results]


def _percent(values: tuple[float, float], size: tuple[int, int]) -> dict[str, float]:
    x, y = (round(100 * float(v) / side, 6) for v, side in zip(values, size))
    return dict(x=x, y=y)
