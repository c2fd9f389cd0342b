"""What the server answers to at all: an ASGI layer before Gradio.

Gradio also offers a proxy, downloads by address, an API, a history of runs and more.
The page needs a handful of routes; all others are not found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path

Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

FILE_ROUTE = '/gradio_api/file='
UPLOAD_ROUTE = '/gradio_api/upload'
ROUTES = re.compile(
    r'/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json)?'
    r'|/(assets|static)/[\w./@+-]+'
    r'|/gradio_api/(startup-events|theme\.css|queue/(join|data)|reset|cancel'
    r'|upload|upload_progress|heartbeat/\w+)/?'
)
MAX_BODY = 2 * 2**20
"""Bytes of a request that is no upload."""

HEADERS = (
    (
        b'content-security-policy',
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        b"font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
        b"frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    ),
    (b'x-content-type-options', b'nosniff'),
    (b'referrer-policy', b'no-referrer'),
)


class RequestGuard:
    """Lets through what the page needs, and bounds what is sent to it.

    Args:
        app: the application behind.
        folder: the only one from which files are served.
        max_upload: bytes of one request with files.
        max_folder: bytes of all files in the folder.
    """

    def __init__(
        self, app: Callable, folder: str | Path, max_upload: int, max_folder: int
    ) -> None:
        self._app, self._max_upload, self._max_folder = app, max_upload, max_folder
        self._folder = os.path.realpath(folder)
        self._num_uploads = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope['type'] == 'lifespan':
            await self._app(scope, receive, send)
            return
        if scope['type'] != 'http' or not self.is_open(str(scope['path'])):
            await _refuse(scope, send, 404, b'not found')
            return
        if _is_foreign(scope):
            await _refuse(scope, send, 403, b'sent by the page of another site')
            return
        limit = MAX_BODY
        is_upload = str(scope['path']).rstrip('/') == UPLOAD_ROUTE
        if is_upload:
            limit = min(self._max_upload, self._max_folder - _size_of(self._folder))
        if _announced_length(scope) > limit:
            await _refuse(scope, send, 413, b'too large')
            return
        self._num_uploads += is_upload
        try:
            await self._app(scope, _bounded(receive, limit), _with_headers(send))
        finally:
            self._num_uploads -= is_upload
            if is_upload and not self._num_uploads:
                self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        """What an upload that was broken off left; whole files are in subfolders."""
        for entry in os.scandir(self._folder):
            if not entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    os.unlink(entry)

    def is_open(self, path: str) -> bool:
        """Whether a decoded path is one that the page needs."""
        if not path.startswith(FILE_ROUTE):
            return ROUTES.fullmatch(path) is not None and '..' not in path
        name = path[len(FILE_ROUTE) :]
        if '\0' in name or not os.path.isabs(name):
            return False
        return os.path.realpath(name).startswith(self._folder + os.sep)


def _is_foreign(scope: Message) -> bool:
    """Another site's page sends something; browsers let it, and say so."""
    site = _header(scope, b'sec-fetch-site')
    is_reading = scope['method'] in ('GET', 'HEAD')
    return not is_reading and site not in (b'', b'same-origin', b'none')


def _announced_length(scope: Message) -> float:
    value = _header(scope, b'content-length') or b'0'
    return int(value) if value.isdigit() else float('inf')


def _header(scope: Message, name: bytes) -> bytes:
    """Its first value; empty: it was not sent."""
    return next((value for key, value in scope['headers'] if key == name), b'')


def _size_of(folder: str) -> int:
    """Bytes of all files; one that goes away meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def _bounded(receive: Receive, limit: int) -> Receive:
    """Break the connection off after ``limit`` bytes, whatever was announced."""
    count = 0

    async def receive_some() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get('body', b''))
        return {'type': 'http.disconnect'} if count > limit else message

    return receive_some


def _with_headers(send: Send) -> Send:
    async def send_more(message: Message) -> None:
        if message['type'] == 'http.response.start':
            message = {**message, 'headers': [*message['headers'], *HEADERS]}
        await send(message)

    return send_more


async def _refuse(scope: Message, send: Send, status: int, text: bytes) -> None:
    if scope['type'] == 'websocket':
        await send({'type': 'websocket.close', 'code': 1008})
        return
    headers = [(b'content-type', b'text/plain'), *HEADERS]
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': text})
