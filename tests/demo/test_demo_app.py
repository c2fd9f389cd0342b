"""The page's requests and their answers."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from demo_cases import LIMITS, OTHER, QUERY, SUPPORT, png, work_of
from predict_cases import KEYPOINTS, SIZE, make_picture
from tool_calls import ToolCaller

from cape_mm.demo import DemoSession
from cape_mm.demo.session import SessionStore
from cape_mm.formats import FORMATS, guess_format, read_labels

pytest.importorskip('starlette', reason='Starlette is not installed: extra `demo`')
pytest.importorskip('httpx2', reason="Starlette's test client needs httpx2")

from starlette.testclient import TestClient  # noqa: E402 (may be missing)

from cape_mm.demo.app import STATIC, PageApp  # noqa: E402 (needs Starlette)

USER = {'X-Session': 'u' * 20}


@pytest.fixture
def client(inferencer) -> TestClient:
    store = SessionStore(lambda: DemoSession(inferencer, LIMITS), LIMITS)
    page = PageApp(store, 'epoch <1>.pth', LIMITS)
    return TestClient(page.build(is_local=True), base_url='http://127.0.0.1:7860')


def put(client: TestClient, key: str, content: bytes, name: str = 'a.png', **headers):
    sent = USER | {'X-Name': name} | headers
    return client.put(f'/pictures/{key}', content=content, headers=sent)


def post(client: TestClient, path: str, content: dict, headers: dict = USER):
    return client.post(path, json=content, headers=headers)


def fill(client: TestClient) -> None:
    for seed, key in enumerate((SUPPORT, QUERY, OTHER)):
        assert put(client, key, png(seed)).status_code == 200


def test_page_names_what_there_is_and_fetches_nothing_from_elsewhere(client):
    answer = client.get('/')
    assert answer.status_code == 200
    assert 'epoch &lt;1&gt;.pth' in answer.text
    assert all(f'<option>{name}</option>' in answer.text for name in FORMATS)
    for path in STATIC.iterdir():
        text = path.read_text(encoding='utf-8')
        assert '://' not in text, path
        if path.suffix != '.html':
            answer = client.get(f'/static/{path.name}')
            assert answer.text == text
            assert answer.headers['content-type'].startswith('text/')


@pytest.mark.parametrize(
    'path',
    [
        *('/etc/passwd', '/static/../app.py', '/static/%2e%2e/app.py', '/static/'),
        *('/static//etc/passwd', '/static/page.html', '/static/%2fetc%2fpasswd'),
        *('/docs', '/openapi.json', '/pictures/../../etc/passwd', '/static/page.js%00'),
    ],
)
def test_server_hands_out_no_file_of_its_machine(client, path):
    assert client.get(path).status_code == 404


def test_picture_is_taken_and_shown(client):
    answer = put(client, QUERY, png(1), 'gr%C3%BCn.png')
    assert answer.status_code == 200
    assert answer.content[:2] == b'\xff\xd8'  # a JPEG file
    told = json.loads(answer.headers['x-picture'])
    assert told == dict(size=list(SIZE), notes=[])


@pytest.mark.parametrize(
    ('key', 'content', 'headers', 'status', 'message'),
    [
        (QUERY, b'text', {'X-Name': 'gr%C3%BCn.png'}, 422, 'grün.png: does not decode'),
        (QUERY, bytes(100_001), {}, 413, 'Too Large'),
        (QUERY, iter([bytes(60_000)] * 2), {}, 413, 'Too Large'),  # length not told
        (QUERY, b'', {'Content-Length': '9' * 30}, 413, 'Too Large'),
        (QUERY, b'', {'Content-Length': 'x'}, 413, 'Too Large'),
        ('a/../b', b'', {}, 404, ''),
        ('..%2f..%2fetc%2fpasswd', b'', {}, 404, ''),
        ('short', b'', {}, 404, ''),
        (QUERY, b'', {'X-Session': ''}, 400, ''),
        (QUERY, b'', {'X-Session': '../../../../../etc'}, 400, ''),
    ],
)
def test_what_can_not_be_taken_is_refused(
    client, key, content, headers, status, message
):
    answer = put(client, key, content, **headers)
    assert answer.status_code == status
    assert message in answer.text


def test_predictions_come_by_the_ids_of_objects(client):
    fill(client)
    work = work_of({QUERY: [None], OTHER: [[1, 2, 40, 40], [5, 5, 50, 50]]})
    answer = post(client, '/predict', dict(work=work, objects=[10, 12, 99, 'a', [1]]))
    assert answer.status_code == 200
    found = answer.json()
    assert found.keys() == {'10', '12'}
    assert found['10'].keys() == {'1', '2', '3', '4'}
    assert all(len(row) == 3 and 0 <= row[2] <= 1 for row in found['12'].values())


def test_a_user_gets_nothing_of_another(client):
    fill(client)
    content = dict(work=work_of(), objects=[10])
    answer = post(client, '/predict', content, {'X-Session': 'v' * 20})
    assert answer.status_code == 409
    assert answer.json() == dict(missing=[SUPPORT, QUERY])


def test_the_user_for_whom_there_is_no_room_is_told(client):
    statuses = []
    for letter in 'abc':
        answer = put(client, QUERY, png(1), **{'X-Session': letter * 20})
        statuses.append(answer.status_code)
    assert statuses == [200, 200, 503]
    assert '2 people use this page' in answer.json()['error']
    assert client.delete('/session', headers={'X-Session': 'a' * 20}).is_success
    assert put(client, QUERY, png(1), **{'X-Session': 'c' * 20}).is_success


@pytest.mark.parametrize(
    ('path', 'content', 'message'),
    [
        ('/predict', {}, 'work: expected an object'),
        ('/predict', dict(work=work_of(edges=[[1, 9]]), objects=[]), 'edges'),
        (
            '/predict',
            dict(work=work_of({QUERY: [[99, 99, 5, 5]]}), objects=[10]),
            'area',
        ),
        ('/predict', dict(work=work_of(), objects=3), 'objects is 3'),
        ('/check', dict(cape=1), 'keypoints is None'),
        (
            '/download',
            dict(work=work_of(), predictions={}, threshold=0, format='../x'),
            'format',
        ),
        (
            '/download',
            dict(work=work_of(), predictions={}, threshold=True, format='coco'),
            'threshold is True',
        ),
    ],
)
def test_an_impossible_request_says_why(client, path, content, message):
    fill(client)
    answer = post(client, path, content)
    assert answer.status_code == 422
    assert message in answer.json()['error']


def test_requests_are_bounded_and_have_one_method(client):
    long = dict(work=work_of(category='a' * 60_000), objects=[])
    assert post(client, '/predict', long).status_code == 413
    assert client.get('/predict').status_code == 405
    assert client.post('/check', content=b'\xff', headers=USER).status_code == 422


def test_what_another_site_sends_is_refused(client):
    headers = USER | {'Origin': 'http://evil.example'}
    content = dict(work=work_of(), objects=[10])
    assert post(client, '/predict', content, headers).status_code == 403
    assert client.get('/', headers={'Host': 'evil.example'}).status_code == 400


def test_a_kept_work_is_checked_and_comes_back(client):
    work = work_of({QUERY: [None, [1, 2, 3, 4]]})
    answer = post(client, '/check', work)
    assert answer.json() == json.loads(json.dumps(work | dict(next=12)))


@pytest.mark.parametrize('kind', FORMATS)
def test_every_format_is_downloaded(client, tmp_path, kind):
    points = {str(i): [10.0 * i, 5.5, 0.75] for i in range(1, 5)}
    content = dict(
        work=work_of({QUERY: [None]}),
        predictions={'10': dict(points=points)},
        threshold=0.5,
        format=kind,
    )
    answer = post(client, '/download', content)
    assert answer.status_code == 200
    name = answer.headers['content-disposition'].split('"')[1]
    path = tmp_path / name
    path.write_bytes(answer.content)
    if name.endswith('.zip'):
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path)
        path = path.with_suffix('')
    if FORMATS[kind].read is None:
        assert json.loads(path.read_text())['images']
        return
    assert guess_format(path) == kind
    labels = read_labels(path)
    (query,) = [p for p in labels.pictures if Path(p.name).stem.endswith('b')]
    keypoints = query.instances[0].keypoints
    np.testing.assert_allclose(keypoints[:, 0], [10, 20, 30, 40], atol=1e-2)


def test_page_and_tool_agree_to_the_pixel(
    client, weights, tmp_path, monkeypatch, capfd
):
    """A picture larger than what the page shows; the support is its own download."""
    sizes = {SUPPORT: (500, 470), QUERY: (2500, 90)}
    for seed, (key, size) in enumerate(sizes.items()):
        content = cv2.imencode('.jpg', make_picture(seed, size))[1].tobytes()
        (tmp_path / f'{key[0]}.png').write_bytes(content)
        assert put(client, key, content).is_success
    work = work_of()
    for picture in work['pictures']:
        picture['size'] = sizes[picture['key']]
    points = {str(i + 1): [7.31 * x, 7.77 * y] for i, (x, y) in enumerate(KEYPOINTS)}
    work['pictures'][0]['objects'][0]['points'] = points
    found = post(client, '/predict', dict(work=work, objects=[10])).json()
    content = dict(
        work=work,
        predictions={key: dict(points=rows) for key, rows in found.items()},
        threshold=0,
        format='coco',
    )
    (tmp_path / 'page.json').write_bytes(post(client, '/download', content).content)
    arguments = ('--support', tmp_path / 'page.json', '--queries', tmp_path / 'b.png')
    outcome = ToolCaller(monkeypatch, capfd)(
        'predict', weights, *arguments, '--out', tmp_path / 'out', '--no-overlay'
    )
    assert outcome.code == 0, outcome.err
    with open(tmp_path / 'out' / 'predictions.csv', encoding='utf-8') as file:
        rows = [[float(row['x']), float(row['y'])] for row in csv.DictReader(file)]
    page = np.array([row[:2] for row in found['10'].values()])
    np.testing.assert_allclose(page, rows, atol=0.01)
