"""The page's server as a whole, and where the page gets its model from."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
from demo_cases import LIMITS, QUERY, SUPPORT, png, work_of
from predict_cases import KEYPOINTS
from test_demo_app import USER
from tool_calls import ToolCaller

from cape_mm.demo import serving
from cape_mm.demo.pictures import Limits
from cape_mm.errors import ConfigError
from cape_mm.inference import model_loading

uvicorn = pytest.importorskip('uvicorn', reason='uvicorn is missing: extra `demo`')


def ask(url: str, method: str, path: str, body: bytes = b'', **headers: str):
    """Status and body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    sent = USER | {key.replace('_', '-'): value for key, value in headers.items()}
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture(scope='module')
def page(inferencer):
    """Its address and the sessions."""
    with serving.running_page(inferencer, 'epoch_1.pth', port=0, limits=LIMITS) as it:
        yield it


def test_tool_without_any_checkpoint_says_what_to_do(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(model_loading, 'WEIGHTS_IN_THE_BOX', tmp_path / 'none.pth')
    outcome = ToolCaller(monkeypatch, capfd)('demo')
    assert outcome.code == 2
    assert 'none.pth. Fetch it' in outcome.message


def test_tool_without_a_web_server_says_what_to_install(monkeypatch, capfd):
    monkeypatch.setattr(serving.importlib.util, 'find_spec', lambda name: None)
    outcome = ToolCaller(monkeypatch, capfd)('demo')
    assert outcome.code == 2
    assert 'pip install starlette uvicorn' in outcome.message


def test_page_is_served_on_this_machine_only(page):
    url, _ = page
    assert url.startswith('http://127.0.0.1:')
    status, body = ask(url, 'GET', '/')
    assert status == 200
    assert b'epoch_1.pth' in body
    assert ask(url, 'GET', '/', Host='evil.example')[0] == 400


def test_taken_port_says_so(page, inferencer):
    port = urlsplit(page[0]).port
    with (
        pytest.raises(ConfigError, match='Name another --port'),
        serving.running_page(inferencer, 'epoch_1.pth', port=port),
    ):
        pass


def test_a_broken_upload_leaves_nothing(page, tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    url, store = page
    host = urlsplit(url)
    with socket.create_connection((host.hostname, host.port)) as connection:
        head = (
            f'PUT /pictures/{QUERY} HTTP/1.1\r\nHost: {host.netloc}\r\n'
            f'X-Session: {"z" * 20}\r\nContent-Length: 90000\r\n\r\n'
        )
        connection.sendall(head.encode() + bytes(50_000))
        time.sleep(0.1)
    assert ask(url, 'PUT', f'/pictures/{QUERY}', png(1))[0] == 200
    assert list(tmp_path.iterdir()) == []
    assert len(store) == 1
    assert ask(url, 'DELETE', '/session')[0] == 204


def test_eight_users_at_once_are_not_mixed_up(inferencer):
    limits, answers = Limits(), {}
    with serving.running_page(inferencer, 'm.pth', port=0, limits=limits) as (
        url,
        store,
    ):

        def work(place: int, run: str) -> None:
            user = {'X_Session': f'{place:020}'}
            content = work_of()
            point = KEYPOINTS[place % 4] + place
            content['pictures'][0]['objects'][0]['points'] = {'1': point.tolist()}
            message = json.dumps(dict(work=content, objects=[10])).encode()
            if run == 'alone':
                ask(url, 'PUT', f'/pictures/{SUPPORT}', png(20 + place), **user)
                ask(url, 'PUT', f'/pictures/{QUERY}', png(40 + place), **user)
            answers[place, run] = ask(url, 'POST', '/predict', message, **user)

        for place in range(8):
            work(place, 'alone')
        threads = [
            threading.Thread(target=work, args=(place, f'together {turn}'))
            for turn in range(3)
            for place in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status, body = ask(url, 'PUT', f'/pictures/{QUERY}', png(1), X_Session='9' * 20)
        assert (status, len(store)) == (503, 8)
        assert b'8 people use this page' in body
    assert {status for status, _ in answers.values()} == {200}
    assert len({answers[place, 'alone'] for place in range(8)}) == 8
    for (place, _), answer in answers.items():
        assert answer == answers[place, 'alone']
