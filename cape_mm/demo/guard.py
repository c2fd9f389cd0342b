"""What the server answers to at all: an ASGI layer before the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping

Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOCAL_NAMES = ('127.0.0.1', 'localhost', '[::1]')

HEADERS = (
    (
        b'content-security-policy',
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        b"img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; "
        b"form-action 'none'",
    ),
    (b'x-content-type-options', b'nosniff'),
    (b'referrer-policy', b'no-referrer'),
    (b'cross-origin-resource-policy', b'same-origin'),
    (b'cross-origin-opener-policy', b'same-origin'),
    (b'cache-control', b'no-store'),
)


class RequestGuard:
    """Refuses what another site's page sends, and tells the browser what is allowed.

    Args:
        app: the application behind.
        is_local: the page is opened on its own machine only, by one of
            ``LOCAL_NAMES``: another name is that of a site which means this machine
            (DNS rebinding).
    """

    def __init__(self, app: Callable, is_local: bool) -> None:
        self._app, self._is_local = app, is_local

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope['type'] == 'lifespan':
            await self._app(scope, receive, send)
        elif scope['type'] != 'http':
            await send({'type': 'websocket.close', 'code': 1008})
        elif self._is_local and _name_of(_header(scope, b'host')) not in LOCAL_NAMES:
            await _refuse(send, 400, b'unknown host')
        elif is_foreign(scope):
            await _refuse(send, 403, b'sent by the page of another site')
        else:
            await self._app(scope, receive, _with_headers(send))


def is_foreign(scope: Message) -> bool:
    """Whether a request is sent by another site's page.

    Browsers name the page in ``Origin``, newer ones also in ``Sec-Fetch-Site``. A link
    from elsewhere may open the page, and no more.
    """
    origin = _header(scope, b'origin')
    if origin and origin.partition(b'://')[2] != _header(scope, b'host'):
        return True
    site = _header(scope, b'sec-fetch-site')
    is_opening = scope['method'] in ('GET', 'HEAD') and scope['path'] == '/'
    return site not in (b'', b'same-origin', b'none') and not is_opening


def _name_of(host: bytes) -> str:
    """A host without its port."""
    name, colon, port = host.decode('latin-1').rpartition(':')
    return name if colon and port.isdigit() else host.decode('latin-1')


def _header(scope: Message, name: bytes) -> bytes:
    """Its value; empty: it was not sent. Several: joined, which fits nothing."""
    return b','.join(value for key, value in scope['headers'] if key == name)


def _with_headers(send: Send) -> Send:
    async def send_more(message: Message) -> None:
        if message['type'] == 'http.response.start':
            message = {**message, 'headers': [*message['headers'], *HEADERS]}
        await send(message)

    return send_more


async def _refuse(send: Send, status: int, text: bytes) -> None:
    headers = [(b'content-type', b'text/plain'), *HEADERS]
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': text})
