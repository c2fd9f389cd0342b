"""What the browser sends is read as it is meant, or refused with a reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
from demo_cases import LIMITS, OTHER, QUERY, work_of
from predict_cases import KEYPOINTS, NAMES, SIZE, SKELETON

from cape_mm.demo.work import (
    numbered_file,
    parse,
    read_predictions,
    read_work,
    to_label_set,
)
from cape_mm.errors import ConfigError
from cape_mm.formats.labels import unique_names


def read(content: object):
    return read_work(parse(json.dumps(content).encode()), LIMITS)


def changed(path: str, value: object) -> dict:
    """A work with another value somewhere, ``'pictures.0.size'`` for instance."""
    work = json.loads(json.dumps(work_of()))
    *names, last = path.split('.')
    place = work
    for name in names:
        place = place[int(name) if name.isdigit() else name]
    place[int(last) if last.isdigit() else last] = value
    return work


def test_a_work_is_read_and_written_as_it_is():
    content = work_of({QUERY: [None, [1, 2, 30, 40.5]]}, box=[3, 4, 50, 50])
    content['pictures'][1]['objects'][1] |= dict(
        shot=True, points={'1': [5, 6], '2': None}
    )
    work = read(content)
    assert work.skeleton == tuple(SKELETON)
    assert tuple(work.keypoints.values()) == tuple(NAMES)
    assert [one.id for _, one in work.shots()] == [9, 11]
    np.testing.assert_array_equal(work.array(work.shots()[0][1].points), KEYPOINTS)
    again = json.loads(json.dumps(work.to_json()))
    assert again == json.loads(json.dumps(content | dict(next=12)))


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        ('keypoints', None, 'keypoints is None, expected list'),
        ('keypoints', [dict(id=i, name='a') for i in range(6)], 'at most 5 are taken'),
        ('keypoints.0', 3, 'expected an object, got 3'),
        ('keypoints.0.name', ' \n', 'has no name'),
        ('keypoints.0.id', True, 'id is True, expected int'),
        ('keypoints.0.id', 2, 'have one id'),
        ('edges.0', [1, 1], 'no two of the keypoints'),
        ('edges.0', [1, 77], 'no two of the keypoints'),
        ('edges.0', [1, [2]], 'no two of the keypoints'),
        ('edges.0', 'ab', 'no two of the keypoints'),
        ('category', 5, 'category is 5'),
        ('pictures.0.key', '../../etc/passwd', 'is no key of a picture'),
        ('pictures.0.size', [0, 5], 'no width and height'),
        ('pictures.0.size', [64], 'no width and height'),
        ('pictures.0.objects.0.box', [1, 2, 3], 'no x, y, w, h'),
        ('pictures.0.objects.0.box', [1, 2, 3, float('nan')], 'no x, y, w, h'),
        ('pictures.0.objects.0.points', [], 'points is'),
        ('pictures.0.objects.0.points', {'1': [1, '2']}, 'nose is at'),
        ('pictures.0.objects.0.points', {'1': [1, 1e300]}, 'nose is at'),
        ('pictures.0.objects.0.id', 10, 'have one id'),
        ('pictures', [{}] * 6, 'at most 5 are taken'),
    ],
)
def test_what_is_wrong_is_named(path, value, message):
    with pytest.raises(ConfigError, match=message):
        read(changed(path, value))


@pytest.mark.parametrize('text', [b'', b'\xff', b'{', b'[' * 100_000, b'[1]', b'null'])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ConfigError, match='expected'):
        parse(text)


def test_number_of_supports_is_bounded():
    work = work_of({QUERY: [None, None]})
    for one in work['pictures'][1]['objects']:
        one |= dict(shot=True, points={'1': [1, 2]})
    with pytest.raises(ConfigError, match='at most 2 supports'):
        read(work)


def test_names_are_harmless_and_unique():
    work = work_of({QUERY: [None], OTHER: [None]})
    work['keypoints'] = [dict(id=i + 1, name='a\u202e\nb') for i in range(4)]
    for picture in work['pictures']:
        picture['name'] = '../../etc/pass\nwd.jpg'
    read_one = read(work)
    assert list(read_one.keypoints.values()) == ['a b', 'a b_2', 'a b_3', 'a b_4']
    assert {picture.name for picture in read_one.pictures} == {'passwd.jpg'}
    points = {str(i): [1, 2, 0.5] for i in range(1, 5)}
    predictions = {10: dict(points=points), 11: dict(points=points)}
    content = dict(predictions={str(key): row for key, row in predictions.items()})
    found = read_predictions(parse(json.dumps(content).encode()), read_one)
    labels = to_label_set(read_one, found, 0)
    names = [picture.name for picture in labels.pictures]
    assert names == ['passwd.jpg', 'passwd (2).jpg', 'passwd (3).jpg']


def test_labels_are_what_the_page_shows():
    content = work_of({QUERY: [None, [1, 2, 30, 40]], OTHER: [None]})
    content['pictures'].reverse()  # supports come first nevertheless
    first = content['pictures'][1]['objects'][0]
    first['points'] = {'1': [7, 8], '2': None}
    rows = {'1': [1, 1, 0.9], '2': [2, 2, 0.9], '3': [3, 3, 0.3], '4': [4, 4, 0.29]}
    predictions = dict(predictions={'10': dict(points=rows), '11': dict(points=rows)})
    work = read(content)
    found = read_predictions(parse(json.dumps(predictions).encode()), work)
    labels = to_label_set(work, found, 0.3)
    assert [picture.name for picture in labels.pictures] == ['a.png', 'b.png']
    assert (labels.category, labels.skeleton) == ('mouse', tuple(SKELETON))
    (marked,) = labels.pictures[0].instances
    np.testing.assert_array_equal(marked.keypoints, KEYPOINTS)
    assert marked.confidence.tolist() == [1] * 4
    assert marked.bbox.tolist() == [0, 0, *SIZE]
    one, other = labels.pictures[1].instances
    assert one.keypoints.tolist() == [[7, 8], [0, 0], [3, 3], [0, 0]]
    assert one.visibility.tolist() == [2, 0, 2, 0]
    assert one.confidence.tolist() == [1, 0, 0.3, 0]
    assert other.visibility.tolist() == [2, 2, 2, 0]
    assert other.bbox.tolist() == [1, 2, 30, 40]


def test_without_a_point_there_is_nothing_to_write():
    content = work_of()
    content['pictures'][0]['objects'][0]['points'] = {}
    with pytest.raises(ConfigError, match='nothing to download'):
        to_label_set(read(content), {}, 0)


@pytest.mark.parametrize('entry', [3, {}, dict(points=[]), dict(points={'1': [1, 2]})])
def test_odd_predictions_are_refused(entry):
    part = parse(json.dumps(dict(predictions={'10': entry})).encode())
    with pytest.raises(ConfigError, match=r'predictions of b\.png'):
        read_predictions(part, read(work_of()))


def test_files_of_one_name_are_numbered_before_the_suffix():
    names = ['a.png', 'a.png', 'a (2).png', 'b', 'b']
    numbered = 'a.png', 'a (2).png', 'a (2) (2).png', 'b', 'b (2)'
    assert unique_names(names, numbered_file) == numbered
