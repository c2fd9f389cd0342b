"""A Label Studio of our own: recorded tasks and pictures over real HTTP."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import cv2
from predict_cases import make_picture

KEY = 'header.payload.signature'


class Studio(ThreadingHTTPServer):
    """What a project's pages say, and what was asked.

    Attributes:
        tasks: what it answers when asked for annotated tasks.
        files: content by path.
        redirects: address by path.
        hangs: it answers nothing any more.
        asked: paths with query, in order.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.tasks: object = []
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.hangs = False
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f'http://127.0.0.1:{self.server_port}'

    def add_picture(self, name: str, seed: int) -> str:
        """Upload a picture; its address."""
        content = cv2.imencode('.png', make_picture(seed))[1].tobytes()
        self.files[f'/data/upload/1/{name}'] = content
        return f'/data/upload/1/{name}'


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server, parts = self.server, urlsplit(self.path)
        server.asked.append(self.path)
        if server.hangs:
            time.sleep(1)
            return
        if self.headers.get('Authorization') != 'Bearer access':
            self._answer(401, b'')
        elif parts.path in server.redirects:
            self._answer(302, b'', Location=server.redirects[parts.path])
        elif parts.path == '/api/tasks/':
            self._answer(200, json.dumps(dict(tasks=server.tasks)).encode())
        elif parts.path == '/data/local-files/':
            self._answer(200, server.files[parse_qs(parts.query)['d'][0]])
        elif unquote(parts.path) in server.files:
            self._answer(200, server.files[unquote(parts.path)])
        else:
            self._answer(404, b'')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        is_right = self.path == '/api/token/refresh' and body == dict(refresh=KEY)
        self._answer(200 if is_right else 401, b'{"access": "access"}')

    def _answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
