"""What the back end predicts is what the inferencer predicts."""

from __future__ import annotations

import numpy as np
import pytest
from predict_cases import KEYPOINTS, NAMES, SIZE, make_picture
from studio_tasks import CONFIG, annotated, frame, places, points, task_of

from cape_mm.annotators import label_studio as module
from cape_mm.annotators.label_studio import LabelStudioBackend
from cape_mm.errors import ConfigError, MissingDataError
from cape_mm.inference import CapeInferencer

LEFT, RIGHT = (0.0, 0.0, 30.0, 60.0), (30.0, 2.0, 34.0, 50.0)


@pytest.fixture
def pages(studio) -> list[str]:
    """Addresses of eight pictures."""
    return [studio.add_picture(f'{n}.png', n) for n in range(8)]


def test_points_are_those_of_the_inferencer(studio, backend, weights, pages):
    studio.tasks = [annotated(n, pages[n], points(n)) for n in (1, 2)]
    entries = backend.predict(1, CONFIG, [task_of(n, pages[n]) for n in (5, 6)])
    inferencer = CapeInferencer(None, weights)
    inferencer.set_support(
        [make_picture(1), make_picture(2)], [KEYPOINTS + 1, KEYPOINTS + 2]
    )
    for number, entry in zip((5, 6), entries):
        [result] = inferencer(make_picture(number))
        expected = np.clip(result.keypoints[0], 0, SIZE)
        found = places(entry)
        assert list(found) == [(None, name) for name in NAMES]
        assert np.allclose(list(found.values()), expected, atol=1e-4)
        scores = [one['score'] for one in entry['result']]
        assert np.allclose(scores, result.confidence[0], atol=1e-4)
        assert entry['score'] == pytest.approx(result.confidence[0].mean())
        assert entry['model_version'] == backend.version(1, CONFIG)
        assert {one['from_name'] for one in entry['result']} == {'point'}
        assert {one['to_name'] for one in entry['result']} == {'photo'}


def test_every_box_is_an_object(studio, backend, weights, pages):
    studio.tasks = [annotated(1, pages[1], [frame('s', (2, 3, 55, 54)), *points()])]
    boxes = [frame('l', LEFT), frame('r', RIGHT), frame('none', (70, 0, 5, 5))]
    task = task_of(5, pages[5], predictions=[dict(result=boxes)])
    [entry] = backend.predict(1, CONFIG, [task])
    inferencer = CapeInferencer(None, weights)
    inferencer.set_support(make_picture(1), KEYPOINTS, bbox=(2, 3, 55, 54))
    [result] = inferencer(make_picture(5), np.array([LEFT, RIGHT]))
    found = places(entry)
    assert {parent for parent, _ in found} == {'l', 'r'}
    expected = np.clip(result.keypoints, 0, SIZE).reshape(-1, 2)
    assert np.allclose(list(found.values()), expected, atol=1e-4)
    drawn = [one for one in entry['result'] if one['type'] == 'rectanglelabels']
    assert [one['id'] for one in drawn] == ['l', 'r']
    assert [one['value']['rectanglelabels'] for one in drawn] == [['mouse']] * 2


def test_box_that_is_being_drawn_is_not_repeated(studio, backend, pages):
    studio.tasks = [annotated(1, pages[1], points())]
    context = dict(result=[frame('now', LEFT)])
    [entry] = backend.predict(1, CONFIG, [task_of(5, pages[5])], context)
    assert {one['type'] for one in entry['result']} == {'keypointlabels'}
    assert {one['parentID'] for one in entry['result']} == {'now'}


def test_labels_of_boxes_have_their_own_supports(studio, backend, pages):
    rat = annotated(1, pages[1], [frame('s', (2, 3, 55, 54), 'rat'), *points()[:2]])
    mouse = annotated(2, pages[2], [frame('s', (2, 3, 55, 54)), *points()[2:]])
    studio.tasks = [rat, mouse]
    boxes = [frame('m', LEFT), frame('r', RIGHT, 'rat')]
    task = task_of(5, pages[5], predictions=[dict(result=boxes)])
    [entry] = backend.predict(1, CONFIG, [task])
    found = {parent: set() for parent in ('m', 'r')}
    for parent, name in places(entry):
        found[parent].add(name)
    assert found == dict(m=set(NAMES[2:]), r=set(NAMES[:2]))
    studio.tasks = [rat]
    [entry] = backend.predict(1, CONFIG, [task])
    assert {parent for parent, _ in places(entry)} == {'r'}
    only_mouse = task_of(5, pages[5], predictions=[dict(result=boxes[:1])])
    [entry] = backend.predict(1, CONFIG, [only_mouse])
    assert "a label of a support: ['rat']" in entry['error']


def test_correction_counts_at_once(studio, backend, pages):
    task = task_of(5, pages[5])
    seen = []
    for shift, time in ((0, '2026-01'), (9, '2026-02'), (0, '2026-03')):
        studio.tasks = [annotated(1, pages[1], points(shift), time)]
        [entry] = backend.predict(1, CONFIG, [task])
        seen.append((entry['model_version'], places(entry)))
    assert len({version for version, _ in seen}) == 3
    first, moved, again = (np.array(list(found.values())) for _, found in seen)
    assert np.abs(first - moved).max() > 1e-3
    assert np.array_equal(first, again)


def test_projects_do_not_mix(studio, backend, pages):
    task, seen = task_of(5, pages[5]), {}
    for _ in range(2):
        for project in (1, 2):
            names = NAMES if project == 1 else NAMES[:3]
            studio.tasks = [annotated(project, pages[project], points(names=names))]
            [entry] = backend.predict(project, CONFIG, [task])
            seen.setdefault(project, []).append(places(entry))
    for project, count in ((1, 4), (2, 3)):
        one, other = seen[project]
        assert len(one) == count
        assert all(np.array_equal(one[key], other[key]) for key in one)


def test_task_that_can_not_be_predicted_does_not_stop_others(studio, backend, pages):
    studio.tasks = [annotated(1, pages[1], points())]
    studio.files['/data/upload/1/text.png'] = b'<svg/>'
    box = frame('x', LEFT)
    spoiled = ['text', 5, ['abc'], [dict(box, value=3)], [{'type': 'rectanglelabels'}]]
    tasks = [
        task_of(2, 'http://evil.example/a.png'),
        task_of(3, '/data/upload/1/gone.png'),
        task_of(4, '/data/upload/1/text.png'),
        task_of(5, None),
        *(task_of(6, pages[6], predictions=[dict(result=one)]) for one in spoiled),
        dict(id=6),
        {},
        task_of(7, pages[7]),
    ]
    entries = backend.predict(1, CONFIG, tasks)
    parts = ['not fetched', '404', 'no picture of pixels', 'not fetched']
    parts += ['not a Label Studio file'] * 7
    for entry, task, part in zip(entries, tasks, parts):
        assert entry['error'].startswith(f'task {task.get("id")}: ')
        assert part in entry['error']
    assert len(places(entries[11])) == 4


def test_nothing_annotated_is_told(studio, backend, pages):
    with pytest.raises(ConfigError, match='project 3: 0 supports.*Mark the keypoints'):
        backend.predict(3, CONFIG, [task_of(5, pages[5])])
    studio.tasks = [annotated(1, pages[1], points(names=['a', 'b', 'c', 'd']))]
    with pytest.raises(ConfigError, match='task 1 is no support: it marks a, b, c'):
        backend.predict(3, CONFIG, [task_of(5, pages[5])])
    assert backend.version(3, CONFIG).startswith('cape_mm.')


@pytest.mark.parametrize('fault', ['gone', 'size', 'outside', 'elsewhere'])
def test_support_that_can_not_be_used_is_left_out(studio, backend, pages, fault):
    bad = dict(
        gone=annotated(1, '/data/upload/1/gone.png', points()),
        size=annotated(1, pages[1], [dict(p, original_width=9) for p in points()]),
        outside=annotated(1, pages[1], points(1000)),
        elsewhere=annotated(1, 'http://evil.example/', points()),
    )[fault]
    task = task_of(5, pages[5])
    studio.tasks = [annotated(2, pages[2], points())]
    [alone] = backend.predict(1, CONFIG, [task])
    studio.tasks = [bad, *studio.tasks]
    [entry] = backend.predict(1, CONFIG, [task])
    assert entry['result'] == alone['result']
    studio.tasks = [bad]
    [entry] = backend.predict(1, CONFIG, [task])
    assert 'task 1 is no support' in entry['error']


def test_server_that_goes_away_in_the_middle(studio, backend, pages, monkeypatch):
    studio.tasks = [annotated(1, pages[1], points())]
    tasks = [task_of(n, pages[n]) for n in (4, 5, 6)]
    fetch, calls = backend._client.picture, []

    def fetch_until_gone(address: object) -> np.ndarray:
        calls.append(address)
        if len(calls) > 2:
            raise MissingDataError('Label Studio is not to be reached')
        return fetch(address)

    monkeypatch.setattr(backend._client, 'picture', fetch_until_gone)
    entries = backend.predict(1, CONFIG, tasks)
    assert len(places(entries[0])) == 4
    assert all('is not to be reached' in entry['error'] for entry in entries[1:])
    assert len(calls) == 3  # nothing is asked of a server that is gone
    monkeypatch.setattr(backend._client, 'picture', fetch)
    assert all('result' in entry for entry in backend.predict(1, CONFIG, tasks))


def test_time_is_limited(studio, backend, pages, monkeypatch):
    monkeypatch.setattr(module, 'TIME_LIMIT', -1)
    studio.tasks = [annotated(1, pages[1], points())]
    entries = backend.predict(1, CONFIG, [task_of(n, pages[n]) for n in (4, 5)])
    assert all('ask again' in entry['error'] for entry in entries)


def test_adapted_model_takes_over_and_changes_the_version(
    studio, client, weights, pages
):
    backend = LabelStudioBackend(
        client, lambda: CapeInferencer(None, weights), adapts=True
    )
    studio.tasks = [annotated(n, pages[n], points()) for n in (1, 2)]
    before = backend.version(1, CONFIG)
    first = backend._inferencer
    backend.refresh(1, CONFIG)
    backend.refresh(1, CONFIG)
    backend._worker.shutdown(wait=True)
    assert backend.version(1, CONFIG) != before
    assert backend._adapted is not first
    [entry] = backend.predict(1, CONFIG, [task_of(5, pages[5])])
    [result] = backend._adapted(make_picture(5))
    assert np.allclose(
        list(places(entry).values()), np.clip(result.keypoints[0], 0, SIZE), atol=1e-4
    )
    studio.tasks = [annotated(1, pages[1], points())]
    assert 'result' in backend.predict(1, CONFIG, [task_of(5, pages[5])])[0]
