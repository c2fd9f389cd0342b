"""What tasks mark, where their objects are."""

from __future__ import annotations

import re

import numpy as np
import pytest
from predict_cases import KEYPOINTS, NAMES, SIZE
from studio_tasks import CONFIG, annotated, choice, frame, point, points, task_of

from cape_mm.annotators.label_studio_tasks import (
    find_boxes,
    find_supports,
    read_interface,
    version_of,
)
from cape_mm.errors import ConfigError

INTERFACE = read_interface(CONFIG)
LEFT, RIGHT = (0, 0, 30, 60), (30, 0, 34, 60)


def test_interface_is_read():
    assert INTERFACE.names == tuple(NAMES)
    assert INTERFACE.tags == ('photo', 'point', 'frame')
    assert INTERFACE.data_key == 'image'


def test_interface_without_boxes_and_with_aliases():
    config = (
        '<View><Image name="i" value="$url"/><KeyPointLabels name="k" toName="i">'
        '<View><Label value="left eye" alias="eyeL"/></View></KeyPointLabels></View>'
    )
    assert read_interface(config) == (('i', 'k', None), 'url', ('eyeL',))


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ('<View><Image name="i" value="$i"/></View>', 'no KeyPointLabels'),
        ('<View><KeyPointLabels name="k" toName="i"/></View>', 'no KeyPointLabels'),
        (CONFIG.replace('KeyPoint', 'Brush'), 'no KeyPointLabels'),
        ('', 'no XML'),
        ('<View>', 'no XML'),
        (None, 'no XML'),
        (5, 'no XML'),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View/>', 'entities'),
    ],
)
def test_other_configuration_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        read_interface(config)


def test_latest_tasks_are_the_supports():
    tasks = [annotated(n, f'/data/upload/{n}.png', points()) for n in range(7)]
    supports, notes = find_supports(tasks, INTERFACE, 5)
    assert [shot.task for shot in supports['']] == [0, 1, 2, 3, 4]
    assert notes == []
    shot = supports[''][2]
    assert (shot.address, shot.size) == ('/data/upload/2.png', SIZE)
    assert np.allclose(shot.instance.keypoints, KEYPOINTS)


def test_newest_annotation_of_a_task_counts_unless_it_was_skipped():
    task = annotated(1, 'a', points())
    newer = dict(task['annotations'][0], result=points(2.0), updated_at='2026-02')
    skipped = dict(newer, result=points(4.0), updated_at='2026-03', was_cancelled=True)
    task['annotations'] += [newer, skipped, 17]
    [shot] = find_supports([task], INTERFACE, 5)[0]['']
    assert np.allclose(shot.instance.keypoints, KEYPOINTS + 2)


def test_points_are_of_the_box_they_lie_in_or_name():
    """A person draws boxes and points, and groups nothing."""
    names = NAMES[:2]
    inside = [(5, 10), (20, 30)], [(40, 10), (60, 50)]
    regions = [frame('l', LEFT), frame('r', RIGHT)]
    regions += [point(n, p) for own in inside for n, p in zip(names, own)]
    regions.append(point(NAMES[2], (50, 20), parent='l'))
    shots = find_supports([annotated(1, 'a', regions)], INTERFACE, 5)[0]['mouse']
    assert [shot.instance.visibility.tolist() for shot in shots] == [
        [2, 2, 2, 0],
        [2, 2, 0, 0],
    ]
    for shot, own, box in zip(shots, inside, (LEFT, RIGHT)):
        assert np.allclose(shot.instance.keypoints[:2], own)
        assert np.allclose(shot.instance.bbox, box)


def test_boxes_that_overlap_share_their_points():
    regions = [frame('a', (0, 0, 40, 60)), frame('b', (20, 0, 40, 60))]
    regions += [point('nose', (30, 5)), point('nose', (31, 5)), point('tail', (50, 9))]
    shots = find_supports([annotated(1, 'a', regions)], INTERFACE, 5)[0]['mouse']
    assert [shot.instance.visibility.tolist() for shot in shots] == [
        [2, 0, 0, 0],
        [2, 0, 2, 0],
    ]


def test_labels_of_boxes_are_supports_of_their_own():
    tasks = [
        annotated(1, 'a', [frame('x', (0, 0, 60, 60), 'rat'), *points()]),
        annotated(2, 'b', [frame('x', (0, 0, 60, 60)), *points()]),
    ]
    supports, _ = find_supports(tasks, INTERFACE, 5)
    assert {k: [s.task for s in v] for k, v in supports.items()} == dict(
        rat=[1], mouse=[2]
    )


def test_tag_chooses_the_supports():
    tasks = [
        annotated(1, 'a', points()),
        annotated(2, 'b', [choice('support'), *points()]),
        annotated(3, 'c', [choice('other'), *points()]),
    ]
    supports, _ = find_supports(tasks, INTERFACE, 5, 'support')
    assert [shot.task for shot in supports['']] == [2]


@pytest.mark.parametrize(
    ('results', 'reason'),
    [
        (
            points(names=['Nase', 'Ohr', 'Schwanz', 'foot']),
            'it marks Nase.*but the keyp',
        ),
        ([*points(), point('nose', (1, 1))], "'nose' is there more than once"),
        ([dict(one, image_rotation=90) for one in points()], 'turned'),
        ([dict(one, original_width='wide') for one in points()], 'not a Label Studio'),
        ([dict(one, original_width=1e999) for one in points()], 'not a Label Studio'),
        ([{**points()[0], 'value': 7}], 'not a Label Studio'),
        ('text', 'not a Label Studio'),
        ([1], 'not a Label Studio'),
    ],
)
def test_task_that_is_no_support_is_told_and_left_out(results, reason):
    tasks = [annotated(8, 'a', results), annotated(9, 'b', points())]
    supports, notes = find_supports(tasks, INTERFACE, 5)
    assert [shot.task for shot in supports['']] == [9]
    assert len(notes) == 1
    assert notes[0].startswith('task 8 is no support: ')
    assert re.search(reason, notes[0])


def test_empty_annotation_is_no_fault():
    tasks = [annotated(1, 'a', []), annotated(2, 'b', [frame('x', LEFT)]), dict(id=3)]
    assert find_supports(tasks, INTERFACE, 5) == ({}, [])


def test_version_follows_annotations():
    def version(*tasks: dict, **more: object) -> str:
        supports, _ = find_supports(tasks, INTERFACE, 5)
        return version_of(supports.get('', []), *more.values())

    one = annotated(1, 'a', points(), '2026-01')
    assert version(one) == version(annotated(1, 'a', points(), '2026-01'))
    others = [
        version(),
        version(annotated(1, 'a', points(), '2026-02')),
        version(one, annotated(2, 'b', points())),
        version(one, model='other'),
    ]
    assert len({version(one), *others}) == 5


def test_boxes_are_those_somebody_drew_last():
    drawn = dict(result=[frame('now', (1, 2, 3, 4))])
    draft = dict(result=[frame('draft', (5, 6, 7, 8))], updated_at='2026')
    other = dict(result=[frame('other', LEFT), *points()], model_version='detector')
    ours = dict(result=[frame('ours', RIGHT)], model_version=version_of([]))
    task = task_of(1, 'a', predictions=[ours, other], drafts=[draft])
    for context, region, box in [
        (drawn, 'now', (1, 2, 3, 4)),
        (dict(result=[]), 'draft', (5, 6, 7, 8)),
        (None, 'draft', (5, 6, 7, 8)),
    ]:
        [found] = find_boxes(task, INTERFACE, SIZE, context)
        assert (found.region, found.label) == (region, 'mouse')
        assert np.allclose(found.box, box)
    [found] = find_boxes(task | dict(drafts=[3]), INTERFACE, SIZE)
    assert found.region == 'other'
    assert find_boxes(task_of(1, 'a', predictions=[ours]), INTERFACE, SIZE) == []
