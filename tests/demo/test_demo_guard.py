"""Which requests reach the page, and which do not."""

from __future__ import annotations

import asyncio

import pytest

from cape_mm.demo.guard import RequestGuard

LIMIT = 5_000_000


@pytest.fixture
def guard(tmp_path) -> RequestGuard:
    """Before an application that says yes to everything, after reading it all."""

    async def answer_yes(scope, receive, send):
        while (message := await receive()).get('more_body'):
            pass
        status = 200 if message['type'] == 'http.request' else 499
        await send({'type': 'http.response.start', 'status': status, 'headers': []})
        await send({'type': 'http.response.body', 'body': b'yes'})

    (tmp_path / 'cache').mkdir()
    return RequestGuard(answer_yes, tmp_path / 'cache', LIMIT, max_folder=2 * LIMIT)


def ask(guard: RequestGuard, path: str, sizes: list[int], **headers: bytes):
    """Status and headers of the answer to one request with a body of some parts."""
    parts = [
        {'type': 'http.request', 'body': bytes(size), 'more_body': place < len(sizes)}
        for place, size in enumerate(sizes, start=1)
    ]
    answers = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        answers.append(message)

    sent = [(key.replace('_', '-').encode(), it) for key, it in headers.items()]
    method = 'POST' if any(sizes) else 'GET'
    scope = {'type': 'http', 'method': method, 'path': path, 'headers': sent}
    asyncio.run(guard(scope, receive, send))
    return answers[0]['status'], dict(answers[0]['headers'])


@pytest.mark.parametrize(
    'path',
    [
        *('/', '/config', '/theme.css', '/assets/index-Ab_1.js', '/static/img/a.svg'),
        *('/gradio_api/upload', '/gradio_api/queue/join', '/gradio_api/queue/data'),
        '/gradio_api/heartbeat/abc123',
    ],
)
def test_what_the_page_needs_is_open(guard, path):
    status, headers = ask(guard, path, [10])
    assert status == 200
    assert b"default-src 'self'" in headers[b'content-security-policy']


@pytest.mark.parametrize(
    'path',
    [
        *('/docs', '/openapi.json', '/gradio_api/info', '/monitoring', '/login'),
        *('/gradio_api/proxy=https://x.hf.space/', '/gradio_api/run/predict'),
        *('/gradio_api/call/predict', '/gradio_api/vibe-edit/', '/assets/../config'),
        *('/gradio_api/file=/etc/passwd', '/gradio_api/file=https://example.org/a'),
        *('/gradio_api/file=setup.py', '/gradio_api/file=', '/file=/etc/passwd'),
        *('/gradio_api/runs', '/gradio_api/run-history/connect', '/static/a//b/../c'),
        '/gradio_api/file=/tmp/\0',
    ],
)
def test_everything_else_is_not_found(guard, path):
    assert ask(guard, path, [0])[0] == 404


def test_files_come_from_the_own_folder_only(guard, tmp_path):
    cache = tmp_path / 'cache'
    (cache / 'link').symlink_to('/etc')
    (tmp_path / 'cache2').mkdir()
    for name, status in (
        ('cache/ab/picture 1.png', 200),
        ('cache/../cache2/a', 404),
        ('cache2/a', 404),
        ('cache/link/passwd', 404),
        ('cache', 404),
    ):
        assert ask(guard, f'/gradio_api/file={tmp_path}/{name}', [0])[0] == status, name


def test_size_of_requests_is_bounded_whatever_they_announce(guard):
    join, upload = '/gradio_api/queue/join', '/gradio_api/upload'
    assert ask(guard, upload, [2_000_000] * 2)[0] == 200
    assert ask(guard, upload, [2_000_000] * 3)[0] == 499  # cut off
    assert ask(guard, join, [2_000_000] * 2)[0] == 499
    assert ask(guard, join, [0], content_length=b'2500000')[0] == 413
    assert ask(guard, upload, [0], content_length=b'2500000')[0] == 200
    assert ask(guard, upload, [0], content_length=b'-1')[0] == 413


def test_uploads_stop_where_the_folder_is_full(guard, tmp_path):
    upload = '/gradio_api/upload'
    (tmp_path / 'cache' / 'ab').mkdir()
    (tmp_path / 'cache' / 'ab' / 'a.png').write_bytes(bytes(7_000_000))
    assert ask(guard, upload, [2_000_000])[0] == 200
    assert ask(guard, upload, [2_000_000] * 2)[0] == 499
    assert ask(guard, upload, [1], content_length=b'3500000')[0] == 413
    assert ask(guard, '/gradio_api/queue/join', [1_000_000])[0] == 200


@pytest.mark.parametrize('site', [b'cross-site', b'same-site'])
def test_other_sites_can_link_to_the_page_but_send_it_nothing(guard, site):
    upload = '/gradio_api/upload'
    assert ask(guard, '/', [0], sec_fetch_site=site)[0] == 200
    assert ask(guard, upload, [10], sec_fetch_site=site)[0] == 403
    assert ask(guard, upload, [10], sec_fetch_site=b'same-origin')[0] == 200


def test_what_a_broken_upload_leaves_is_removed_with_the_last_of_them(tmp_path):
    folder, whole = tmp_path, tmp_path / 'ab' / 'whole.png'
    whole.parent.mkdir()
    whole.touch()

    async def keep_parts(scope, receive, send):
        part = folder / scope['name']
        part.touch()
        await receive()
        assert part.exists()
        raise ConnectionError

    guard = RequestGuard(keep_parts, folder, LIMIT, LIMIT)

    async def upload(name: str, seconds: float) -> None:
        async def receive():
            await asyncio.sleep(seconds)
            return {'type': 'http.disconnect'}

        path = '/gradio_api/upload'
        scope = dict(type='http', method='POST', path=path, headers=[], name=name)
        with pytest.raises(ConnectionError):
            await guard(scope, receive, None)

    async def both() -> None:
        await asyncio.gather(upload('short', 0.0), upload('long', 0.1))

    asyncio.run(both())
    assert [path for path in folder.rglob('*') if path.is_file()] == [whole]
