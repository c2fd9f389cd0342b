"""Label Studio: its JSON export, https://labelstud.io/guide/export.

A task has results in per cent of the picture: ``keypointlabels`` (one per keypoint,
labelled with its name) and ``rectanglelabels``, which keypoints name as ``parentID``.
Without any ``parentID`` all keypoints of a task are one object. Labels with confidences
are written as ``predictions``, which Label Studio shows as pre-annotations, others as
``annotations``. Hidden keypoints and the skeleton have no place in the format.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ..errors import AnnotationFormatError
from ..utils.json_file import read_json
from .files import malformed, open_for_writing, write_list, write_text
from .labels import (
    LabelledInstance,
    LabelledPicture,
    LabelSet,
    make_instance,
    make_picture,
)

LOCAL_FILES = '/data/local-files/?d='
MODEL_VERSION = 'cape_mm'
POINT, BOX = 'keypointlabels', 'rectanglelabels'
UPLOADED = re.compile(r'^[0-9a-f]{8}-')
"""Label Studio puts this before the name of an uploaded file."""


def is_label_studio(content: object) -> bool:
    """Whether the content of a JSON file has Label Studio's form."""
    return (
        isinstance(content, list)
        and len(content) > 0
        and isinstance(content[0], dict)
        and 'data' in content[0]
    )


def read_label_studio(path: str | Path, category: str | None = None) -> LabelSet:
    """Read an export in the format "JSON"; of several annotations the first counts.

    Args:
        path: the file.
        category: label of the boxes to read; None takes the first.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no such export, or marks no keypoint.
    """
    content = read_json(path)
    if not is_label_studio(content):
        raise AnnotationFormatError(f'{path} is no list of tasks of Label Studio')
    try:
        tasks = [(_file_name(task['data']), _results(task)) for task in content]
        results = [result for _, own in tasks for result in own]
        names = tuple(dict.fromkeys(_label(r) for r in results if r['type'] == POINT))
        boxes = [_label(result) for result in results if result['type'] == BOX]
        pictures = [_read_picture(name, own, names) for name, own in tasks if own]
    except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
        raise malformed(path, error, 'Label Studio') from error
    if not names:
        raise AnnotationFormatError(
            f'{path} marks no keypoint: results of type "{POINT}" are expected'
        )
    name = category or (boxes[0] if boxes else 'object')
    return LabelSet(name, names, (), pictures)


def _label(result: dict) -> str:
    return str(result['value'][result['type']][0])


def _file_name(data: dict) -> str:
    """Path of a task's picture: without address, upload folder and upload prefix."""
    url = str(next(v for k, v in data.items() if k in ('image', 'img', 'ocr')))
    parts = urlsplit(url)
    if parts.path.rstrip('/').endswith('local-files'):
        return parse_qs(parts.query)['d'][0]
    path = (
        unquote(parts.path) if parts.scheme or parts.path.startswith('/data/') else url
    )
    if '/upload/' in path:
        return UPLOADED.sub('', path.rsplit('/', 1)[1])
    return path.lstrip('/')


def _results(task: dict) -> list[dict]:
    given = task.get('annotations') or task.get('predictions') or [dict(result=[])]
    found = given[0]['result']
    return [result for result in found if result.get('type') in (POINT, BOX)]


def _read_picture(
    file_name: str, results: list[dict], names: tuple[str, ...]
) -> LabelledPicture:
    size = (int(results[0]['original_width']), int(results[0]['original_height']))
    groups: dict[object, list[dict]] = {}
    for result in results:
        key = result.get('parentID') if result['type'] == POINT else result['id']
        groups.setdefault(key, []).append(result)
    if all(result.get('parentID') is None for result in results):
        groups = {None: results}
    instances = [
        _read_instance(own, size, names)
        for own in groups.values()
        if any(result['type'] == POINT for result in own)
    ]
    return make_picture(file_name, size, instances)


def _read_instance(
    results: list[dict], size: tuple[int, int], names: tuple[str, ...]
) -> LabelledInstance:
    points, scores, box = {}, {}, None
    for result in results:
        value = result['value']
        x, y = value['x'] * size[0] / 100, value['y'] * size[1] / 100
        if result['type'] == BOX:
            w, h = value['width'] * size[0] / 100, value['height'] * size[1] / 100
            box = (x, y, w, h)
        else:
            points[_label(result)] = (x, y)
            if result.get('score') is not None:
                scores[_label(result)] = float(result['score'])
    return make_instance(points, names, (), scores, box)


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
        ConfigError: a picture's size is not known, or a file can't be written.
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
    size = picture.known_size('Label Studio')
    results = [
        result
        for number, instance in enumerate(picture.instances)
        for result in _instance_results(instance, number, size, labels)
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


def _instance_results(
    instance: LabelledInstance, number: int, size: tuple[int, int], labels: LabelSet
) -> list[dict]:
    shared = dict(original_width=size[0], original_height=size[1], image_rotation=0)
    parent = f'instance{number}'
    x, y, w, h = instance.box()
    corner = _percent((x, y), size) | dict(rotation=0)
    extent = dict(zip(('width', 'height'), _percent((w, h), size).values()))
    value = corner | extent | {BOX: [labels.category]}
    results = [dict(id=parent, type=BOX, from_name='box', to_name='image', value=value)]
    for name, point in instance.points_by_name(labels.keypoint_names).items():
        value = _percent(point, size) | {'width': 0.5, POINT: [name]}
        result = dict(id=f'{parent}_{name}', type=POINT, parentID=parent, value=value)
        result.update(from_name='keypoint', to_name='image')
        if instance.confidence is not None:
            k = labels.keypoint_names.index(name)
            result['score'] = round(float(instance.confidence[k]), 4)
        results.append(result)
    return [result | shared for result in results]


def _percent(values: tuple[float, float], size: tuple[int, int]) -> dict[str, float]:
    x, y = (round(100 * float(v) / side, 6) for v, side in zip(values, size))
    return dict(x=x, y=y)
