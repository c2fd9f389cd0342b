"""Tasks, regions and requests as Label Studio 1.23 sends them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from predict_cases import KEYPOINTS, NAMES, SIZE

CONFIG = (
    '<View><Header value="Mark"/><Image name="photo" value="$image" zoom="true"/>'
    '<RectangleLabels name="frame" toName="photo"><Label value="mouse"/>'
    '<Label value="rat"/></RectangleLabels>'
    '<Choices name="use" toName="photo"><Choice value="support"/></Choices>'
    '<KeyPointLabels name="point" toName="photo">'
    + ''.join(f'<Label value="{name}" background="red"/>' for name in NAMES)
    + '</KeyPointLabels></View>'
)
SHARED = dict(original_width=SIZE[0], original_height=SIZE[1], image_rotation=0)
SHARED['to_name'] = 'photo'


def point(name: str, place: Sequence[float], parent: str | None = None) -> dict:
    """The region of a keypoint at a place in pixels."""
    x, y = 100 * np.asarray(place) / SIZE
    value = dict(x=x, y=y, width=0.4, keypointlabels=[name])
    own = dict(id=f'p{name}{x:.2f}', type='keypointlabels', from_name='point')
    return SHARED | own | dict(value=value) | (dict(parentID=parent) if parent else {})


def frame(region: str, box: Sequence[float], label: str = 'mouse') -> dict:
    """The region of a box (x, y, w, h) in pixels."""
    x, y, w, h = 100 * np.asarray(box) / [*SIZE, *SIZE]
    value = dict(x=x, y=y, width=w, height=h, rotation=0, rectanglelabels=[label])
    own = dict(id=region, type='rectanglelabels', from_name='frame', value=value)
    return SHARED | own


def choice(text: str) -> dict:
    """The region of a choice."""
    value = dict(choices=[text])
    return SHARED | dict(id='c', type='choices', from_name='use', value=value)


def points(shift: float = 0.0, names: Sequence[str] = NAMES) -> list[dict]:
    """The regions of an object's keypoints."""
    return [point(name, place + shift) for name, place in zip(names, KEYPOINTS)]


def annotated(
    task: int, address: object, results: list[dict], time: str = '2026-01-01T00:00'
) -> dict:
    """A task with one annotation."""
    annotation = dict(id=task * 10, result=results, updated_at=time)
    return task_of(task, address) | dict(
        annotations=[annotation | dict(was_cancelled=False)]
    )


def task_of(task: int, address: object, **more: object) -> dict:
    """A task without annotation."""
    return (
        dict(id=task, data=dict(image=address), annotations=[], predictions=[]) | more
    )


def places(entry: dict) -> dict[tuple, np.ndarray]:
    """(x, y) in pixels of a prediction's points, by parent and name."""
    return {
        (one.get('parentID'), one['value']['keypointlabels'][0]): np.array(
            [one['value']['x'], one['value']['y']]
        )
        * SIZE
        / 100
        for one in entry['result']
        if one['type'] == 'keypointlabels'
    }
