"""Which requests reach the page, and which do not."""

from __future__ import annotations

import asyncio

import pytest

from cape_mm.demo.guard import RequestGuard

HOST = b'127.0.0.1:7860'


def ask(
    headers: dict[bytes, bytes],
    method: str = 'POST',
    path: str = '/predict',
    is_local: bool = True,
    kind: str = 'http',
) -> list[dict]:
    """What is answered, before an application that says yes to everything."""
    answers = []

    async def answer_yes(scope, receive, send):
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})

    async def send(message):
        answers.append(message)

    sent = list(({b'host': HOST} | headers).items())
    scope = {'type': kind, 'method': method, 'path': path, 'headers': sent}
    asyncio.run(RequestGuard(answer_yes, is_local)(scope, None, send))
    return answers


def status(*args, **options) -> int:
    return ask(*args, **options)[0]['status']


@pytest.mark.parametrize(
    'headers',
    [
        {b'origin': b'http://evil.example'},
        {b'origin': b'https://127.0.0.1'},
        {b'origin': b'http://127.0.0.1:7861'},
        {b'origin': b'null'},
        {b'origin': b'http://127.0.0.1:7860.evil.example'},
        {b'sec-fetch-site': b'cross-site'},
        {b'sec-fetch-site': b'same-site'},
        {b'origin': b'http://127.0.0.1:7860', b'sec-fetch-site': b'cross-site'},
    ],
)
@pytest.mark.parametrize('method', ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'])
def test_what_another_site_sends_is_refused(headers, method):
    assert status(headers, method) == 403
    assert status(headers, method, is_local=False) == 403


@pytest.mark.parametrize(
    'headers',
    [
        {},
        {b'origin': b'http://127.0.0.1:7860'},
        {b'origin': b'http://127.0.0.1:7860', b'sec-fetch-site': b'same-origin'},
        {b'sec-fetch-site': b'none'},
        {b'host': b'localhost:80', b'origin': b'http://localhost:80'},
        {b'host': b'[::1]:7860', b'origin': b'http://[::1]:7860'},
        {b'host': b'localhost'},
    ],
)
def test_the_page_itself_and_programs_are_answered(headers):
    start = ask(headers)[0]
    assert start['status'] == 200
    policy = dict(start['headers'])[b'content-security-policy']
    assert b"default-src 'none'" in policy
    assert b'unsafe' not in policy


def test_a_link_from_elsewhere_opens_the_page_and_no_more():
    headers = {b'sec-fetch-site': b'cross-site'}
    assert status(headers, 'GET', '/') == 200
    assert status(headers, 'GET', '/static/page.js') == 403
    assert status(headers, 'POST', '/') == 403


@pytest.mark.parametrize('host', [b'evil.example:7860', b'', b'127.0.0.1.evil.example'])
def test_a_foreign_name_for_this_machine_is_refused(host):
    assert status({b'host': host}, 'GET', '/') == 400
    assert status({b'host': host}, 'GET', '/', is_local=False) == 200


def test_web_sockets_are_closed():
    assert ask({}, kind='websocket') == [{'type': 'websocket.close', 'code': 1008}]
