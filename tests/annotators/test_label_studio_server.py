"""The protocol, as Label Studio 1.23 speaks it."""

from __future__ import annotations

import socket

import pytest
from studio_tasks import CONFIG, annotated, frame, places, points, task_of

from cape_mm.annotators.label_studio import LabelStudioBackend
from cape_mm.errors import ConfigError, MissingDataError

pytest.importorskip('starlette', reason='the extra label-studio is not installed')
try:
    from starlette.testclient import TestClient
except RuntimeError as error:  # without an HTTP client
    pytest.skip(str(error), allow_module_level=True)
module = pytest.importorskip('cape_mm.annotators.label_studio_server')

PROJECT = '7.1764412345'
LABEL_STUDIO = {'User-Agent': 'heartex/1.23.2', 'Content-Type': 'application/json'}


def connect(backend: LabelStudioBackend, token: str | None = None) -> TestClient:
    """Who calls the back end as Label Studio does."""
    app = module.Protocol(backend, token).app
    return TestClient(app, 'http://127.0.0.1', headers=LABEL_STUDIO)


@pytest.fixture
def http(backend) -> TestClient:
    """A back end without token, called as Label Studio does."""
    return connect(backend)


def test_whole_conversation(studio, backend, http):
    page = [studio.add_picture(f'{n}.png', n) for n in range(3)]
    assert http.get('/health').json()['status'] == 'UP'
    setup = dict(
        project=PROJECT,
        schema=CONFIG,
        hostname='http://evil.example',
        access_token='1234',
        extra_params=None,
    )
    empty = http.post('/setup', json=setup).json()['model_version']
    studio.tasks = [annotated(1, page[1], points())]
    hook = dict(
        action='ANNOTATION_CREATED',
        project=dict(id=7, label_config=CONFIG),
        task=dict(id=1),
        annotation=dict(id=10),
    )
    assert http.post('/webhook', json=hook).status_code == 200
    backend._worker.shutdown(wait=True)
    assert '1 supports, of the tasks [1]' in backend._told[7]
    request = dict(
        project=PROJECT,
        label_config=CONFIG,
        tasks=[task_of(2, page[2]), task_of(3, 'http://evil.example/x.png')],
        params=dict(login=None, password=None, context=None),
    )
    answer = http.post('/predict', json=request).json()['results']
    assert len(places(answer[0])) == 4
    assert 'is not fetched' in answer[1]['error']
    backend._worker = type(backend._worker)(1)
    version = http.post('/setup', json=setup).json()['model_version']
    assert version == answer[0]['model_version'] != empty
    request['params']['context'] = dict(result=[frame('now', (0, 0, 30, 40))])
    request['tasks'] = request['tasks'][:1]
    [answer] = http.post('/predict', json=request).json()['results']
    assert {parent for parent, _ in places(answer)} == {'now'}


def test_reason_is_in_the_address_that_label_studio_shows(studio, http):
    config = '<View><Image name="i" value="$image"/></View>'
    answer = http.post('/setup', json=dict(project=PROJECT, schema=config))
    assert answer.status_code == 400
    assert '/problem/the-labelling-configuration-has-no-KeyPointLabels' in str(
        answer.url
    )
    studio.tasks = 7
    answer = http.post('/setup', json=dict(project=PROJECT, schema=CONFIG))
    assert 'no-list-of-tasks' in str(answer.url)
    request = dict(
        project=PROJECT, label_config=CONFIG, tasks=[task_of(2, 'file:///x')]
    )
    studio.tasks = []
    answer = http.post('/predict', json=request)
    assert 'Mark-the-keypoints-on-one-picture-first' in str(answer.url)
    studio.tasks = [annotated(1, studio.add_picture('1.png', 1), points())]
    answer = http.post('/predict', json=request | dict(params=dict(context={})))
    assert (answer.status_code, 'is-not-fetched' in str(answer.url)) == (400, True)


@pytest.mark.parametrize('kind', ['Basic', 'Bearer'])
def test_token(backend, kind):
    http = connect(backend, 'sésame')
    for password, status in (('sésame', 200), ('wrong', 401), ('', 401)):
        given = dict(auth=('any', password)) if kind == 'Basic' else {}
        if kind == 'Bearer':
            given['headers'] = {'Authorization': f'Bearer {password}'.encode()}
        assert http.get('/health', **given).status_code == status
    for path in ('/setup', '/predict', '/webhook'):
        assert http.post(path, json={}).status_code == 401
        wrong = {'Authorization': 'Basic &&&', 'Content-Type': 'application/json'}
        assert http.post(path, content='{}', headers=wrong).status_code == 401


@pytest.mark.parametrize(
    ('body', 'status', 'part'),
    [
        ('{', 400, 'JSON object'),
        ('[' * 100_000, 400, 'JSON object'),
        ('[1]', 400, 'JSON object'),
        ('{"tasks": []}', 400, 'project'),
        ('{"project": "1; drop", "tasks": []}', 400, 'project'),
        ('{"project": -1, "tasks": []}', 400, 'project'),
        ('{"project": "1.2", "tasks": 7}', 400, 'not-a-Label-Studio'),
        ('{"project": "1.2", "tasks": [7]}', 400, 'not-a-Label-Studio'),
        ('{"project": "1.2", "tasks": [], "params": [1]}', 400, 'not-a-Label-Studio'),
        ('{"project": "1.2", "tasks": []}', 400, 'no-XML'),
    ],
)
def test_odd_request_is_refused(http, body, status, part):
    answer = http.post('/predict', content=body)
    assert answer.status_code == status
    assert part in answer.json()['error']


def test_pages_of_other_sites_and_huge_bodies_are_refused(http, monkeypatch):
    named = {'Host': 'evil.example'}
    assert http.post('/webhook', json={}, headers=named).status_code == 400
    form = {'Content-Type': 'text/plain'}
    assert http.post('/webhook', content='{}', headers=form).status_code == 415
    monkeypatch.setattr(module, 'MAX_BODY', 10)
    assert http.post('/webhook', content='{"a": "0123456789"}').status_code == 413


@pytest.mark.parametrize(
    'hook',
    [
        dict(action='PROJECT_DELETED', project=dict(id=7)),
        dict(action='ANNOTATIONS_DELETED'),
        dict(action=['x'], project=7),
        dict(action='TASKS_CREATED', project=dict(id=7, label_config=None)),
    ],
)
def test_webhook_that_says_nothing_is_harmless(http, hook):
    assert http.post('/webhook', json=hook).json() == dict(status='ok')


def test_server_that_is_gone_is_named(http, backend, monkeypatch):
    def fail(*_: object) -> None:
        raise MissingDataError('Label Studio is not to be reached')

    monkeypatch.setattr(backend._client, 'annotated_tasks', fail)
    answer = http.post('/setup', json=dict(project=PROJECT, schema=CONFIG))
    assert (answer.status_code, answer.json()['error']) == (
        400,
        'Label-Studio-is-not-to-be-reached',
    )


def test_others_need_a_token():
    with pytest.raises(ConfigError, match='--token is needed'):
        module.serve(lambda: None, '0.0.0.0')


def test_port_that_is_taken_is_told_before_the_model_is_loaded():
    pytest.importorskip('uvicorn')
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match='can not listen'):
            module.serve(lambda: pytest.fail('loaded'), port=port)
