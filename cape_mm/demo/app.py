"""The routes of the page."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote

import anyio
import jinja2
import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ..errors import CapeError
from ..formats import FORMATS, LabelSet, write_labels
from .guard import RequestGuard
from .pictures import KEY, Limits
from .session import MissingPicturesError, NoRoomError, SessionStore
from .work import parse, read_predictions, read_work, to_label_set

STATIC = Path(__file__).resolve().parent / 'static'
TYPES = {'.css': 'text/css', '.js': 'text/javascript'}
STALL_SECONDS = 60
"""An upload that brings nothing for so long is given up."""
MAX_OBJECTS = 1000
"""In one request for predictions."""
DECODERS = 2
"""Pictures that are decoded at the same time: each may take 180 MB."""


class PageApp:
    """Answers of the server.

    Args:
        store: sessions of the users.
        model_name: of the checkpoint, for people.
        limits: see there.
    """

    def __init__(self, store: SessionStore, model_name: str, limits: Limits) -> None:
        self.store, self.limits = store, limits
        self._decoders = anyio.CapacityLimiter(DECODERS)
        # read once: no request reaches the disk
        template = jinja2.Environment(autoescape=True).from_string(
            (STATIC / 'page.html').read_text(encoding='utf-8')
        )
        self._page = template.render(
            model_name=model_name, limits=asdict(limits), formats=list(FORMATS)
        )
        self._assets = {
            path.name: (path.read_bytes(), TYPES[path.suffix])
            for path in STATIC.iterdir()
            if path.suffix in TYPES
        }

    def build(self, is_local: bool) -> Starlette:
        """The application; ``is_local`` as for :class:`~.guard.RequestGuard`."""
        return Starlette(
            routes=[
                Route('/', self.show_page),
                Route('/static/{name}', self.show_asset),
                Route('/pictures/{key}', self.take_picture, methods=['PUT']),
                Route('/predict', self.predict, methods=['POST']),
                Route('/check', self.check, methods=['POST']),
                Route('/download', self.download, methods=['POST']),
                Route('/session', self.leave, methods=['DELETE']),
            ],
            middleware=[Middleware(RequestGuard, is_local=is_local)],
            exception_handlers={
                CapeError: _refuse,
                NoRoomError: _refuse_for_now,
                MissingPicturesError: _ask_for_pictures,
                HTTPException: _say_status,
                ClientDisconnect: _say_nothing,
            },
        )

    async def show_page(self, request: Request) -> Response:
        """The page itself."""
        return HTMLResponse(self._page)

    async def show_asset(self, request: Request) -> Response:
        """Its style and scripts."""
        asset = self._assets.get(request.path_params['name'])
        if asset is None:
            raise HTTPException(404)
        return Response(asset[0], media_type=asset[1])

    async def take_picture(self, request: Request) -> Response:
        """A picture's file; the answer is what the browser shows of it."""
        user, key = _user(request), request.path_params['key']
        if not KEY.fullmatch(key):
            raise HTTPException(404)
        name = unquote(request.headers.get('x-name', ''))
        content = await read_body(request, self.limits.max_file_bytes)
        self.store.check_memory(len(content))
        with self.store.use(user) as session:
            picture, preview = await anyio.to_thread.run_sync(
                session.add_picture, key, name, content, limiter=self._decoders
            )
        told = json.dumps(dict(size=picture.size, notes=picture.notes))
        return Response(preview, media_type='image/jpeg', headers={'x-picture': told})

    async def predict(self, request: Request) -> Response:
        """Points of some objects of a work, by their ids."""
        user = _user(request)
        message = parse(await read_body(request, self.limits.max_body_bytes))
        work = read_work(message.part('work'), self.limits)
        ids = message.list('objects', MAX_OBJECTS)
        wanted = {one for one in ids if type(one) is int}
        with self.store.use(user) as session:
            found = await run_in_threadpool(session.predict, work, wanted)
        return JSONResponse(
            {
                key: dict(zip(work.keypoints, map(_to_json, rows)))
                for key, rows in found.items()
            }
        )

    async def check(self, request: Request) -> Response:
        """A work that was kept in a file, as the page takes it."""
        _user(request)
        message = parse(await read_body(request, self.limits.max_body_bytes))
        return JSONResponse(read_work(message, self.limits).to_json())

    async def download(self, request: Request) -> Response:
        """The labels in one of the formats."""
        _user(request)
        message = parse(await read_body(request, self.limits.max_body_bytes))
        work = read_work(message.part('work'), self.limits)
        predictions = read_predictions(message, work)
        labels = to_label_set(work, predictions, message.get('threshold', float))
        kind = message.get('format', str)
        name, content = await run_in_threadpool(pack_labels, labels, kind)
        headers = {'content-disposition': f'attachment; filename="{name}"'}
        return Response(content, 200, headers, 'application/octet-stream')

    async def leave(self, request: Request) -> Response:
        """The user has no more to do here."""
        self.store.drop(_user(request))
        return Response(status_code=204)


async def read_body(request: Request, limit: int) -> bytes:
    """What a request brings; nothing of it is kept if it is broken off.

    Raises:
        HTTPException: it is larger than ``limit`` bytes, or stalls.
        ClientDisconnect: it was broken off.
    """
    announced = request.headers.get('content-length', '0')
    if not announced.isdigit() or int(announced) > limit:
        raise HTTPException(413)
    body, chunks = bytearray(), request.stream()
    while True:
        try:
            with anyio.fail_after(STALL_SECONDS):
                body += await anext(chunks)
        except StopAsyncIteration:
            return bytes(body)
        except TimeoutError as error:
            raise HTTPException(408) from error
        if len(body) > limit:
            raise HTTPException(413)


def pack_labels(labels: LabelSet, kind: str) -> tuple[str, bytes]:
    """Name and content of a file to download; a format of many files is zipped.

    Raises:
        ConfigError: there is no such format.
    """
    with tempfile.TemporaryDirectory(prefix='cape_demo_') as folder:
        files = write_labels(labels, Path(folder), kind)
        name = FORMATS[kind].name
        if len(files) == 1 and files[0] == Path(folder) / name:
            return name, files[0].read_bytes()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(folder))
        return f'{name}.zip', packed.getvalue()


def _user(request: Request) -> str:
    """The key of the browser; a header of our own, which no foreign form can send."""
    key = request.headers.get('x-session', '')
    if not KEY.fullmatch(key):
        raise HTTPException(400)
    return key


def _to_json(row: np.ndarray) -> list[float] | None:
    """A row (x, y, confidence); None where there is none."""
    return None if np.isnan(row).any() else [round(float(value), 4) for value in row]


async def _refuse(request: Request, error: CapeError) -> Response:
    return JSONResponse(dict(error=str(error)), 422)


async def _refuse_for_now(request: Request, error: NoRoomError) -> Response:
    return JSONResponse(dict(error=str(error)), 503)


async def _ask_for_pictures(request: Request, error: MissingPicturesError) -> Response:
    return JSONResponse(dict(missing=error.keys), 409)


async def _say_status(request: Request, error: HTTPException) -> Response:
    return JSONResponse(dict(error=error.detail), error.status_code, error.headers)


async def _say_nothing(request: Request, error: ClientDisconnect) -> Response:
    """Nobody is there to read it."""
    return Response(status_code=400)
