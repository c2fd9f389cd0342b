"""The protocol of Label Studio's ML connection, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import re
import socket
from collections.abc import Callable

from ..errors import CapeError, ConfigError
from ..formats.files import expecting
from .label_studio import LabelStudioBackend, log

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, RedirectResponse, Response
    from starlette.routing import Route
except ImportError as error:
    raise ConfigError(
        f'the back end needs Starlette: pip install starlette uvicorn (the extra '
        f'`label-studio` of cape_mm): {error}'
    ) from error

LOCAL_NAMES = ['127.0.0.1', 'localhost']
MAX_BODY = 64 * 2**20
"""Bytes of a request; ten thousand tasks are a fraction of it."""
BODY_TIMEOUT = 30
ACTIONS = re.compile(r'ANNOTATIONS?_|TASKS_|PROJECT_UPDATED|START_TRAINING')
"""Webhooks that can change the supports."""


class Protocol:
    """Answers requests.

    Args:
        backend: who knows the answers.
        token: asked for as password (HTTP Basic, any user) or as Bearer token; None:
            none is, and only this machine's names for itself are answered to.
    """

    def __init__(self, backend: LabelStudioBackend, token: str | None = None) -> None:
        self._backend, self._token = backend, token
        posted = (self.setup, self.predict, self.webhook)
        names = LOCAL_NAMES if token is None else ['*']
        self.app = Starlette(
            routes=[
                *(Route(path, self.health) for path in ('/', '/health')),
                *(Route(f'/{do.__name__}', do, methods=['POST']) for do in posted),
                Route('/problem/{text}', tell_problem),
            ],
            # a name that another site gave to this machine (DNS rebinding)
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=names)],
            exception_handlers={HTTPException: refuse, CapeError: explain},
        )

    async def health(self, request: Request) -> Response:
        """Whether the back end is there and the token is right."""
        self._check_token(request)
        return JSONResponse(dict(status='UP', model_class='cape_mm'))

    async def setup(self, request: Request) -> Response:
        """Check a labelling configuration; the version of the predictions."""
        body = await self._read(request)
        project, config = project_id(body.get('project')), body.get('schema')
        version = await run_in_threadpool(self._backend.version, project, config)
        self._backend.refresh(project, config)
        return JSONResponse(dict(model_version=version))

    async def predict(self, request: Request) -> Response:
        """Predict tasks."""
        body = await self._read(request)
        with expecting('Label Studio', 'the request'):
            tasks = [dict(task) for task in body['tasks']]
            context = (body.get('params') or {}).get('context')
        given = project_id(body.get('project')), body.get('label_config'), tasks
        results = await run_in_threadpool(self._backend.predict, *given, context)
        if context is not None and results and 'error' in results[0]:
            raise ConfigError(results[0]['error'])
        return JSONResponse(dict(results=results))

    async def webhook(self, request: Request) -> Response:
        """Look at the annotations again after those of a project changed."""
        body = await self._read(request)
        project = body.get('project')
        if ACTIONS.match(str(body.get('action'))) and isinstance(project, dict):
            number = project_id(project.get('id'))
            self._backend.refresh(number, project.get('label_config'))
        return JSONResponse(dict(status='ok'))

    def _check_token(self, request: Request) -> None:
        header = request.headers.get('authorization', '').encode('latin-1')
        kind, _, given = header.partition(b' ')
        if kind.lower() == b'basic':
            try:
                given = base64.b64decode(given).partition(b':')[2]
            except ValueError:
                given = b''
        token = self._token
        if token is not None and not hmac.compare_digest(given, token.encode()):
            asked = {'WWW-Authenticate': 'Basic'}
            raise HTTPException(401, 'the token is missing or wrong', asked)

    async def _read(self, request: Request) -> dict:
        """The JSON object that was sent, of bounded size and time."""
        self._check_token(request)
        # the page of another site can't send this type unasked
        if not request.headers.get('content-type', '').startswith('application/json'):
            raise HTTPException(415, 'expected application/json')

        async def read() -> bytearray:
            body = bytearray()
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY:
                    raise HTTPException(413, f'more than {MAX_BODY:,} bytes')
            return body

        try:
            return dict(json.loads(await asyncio.wait_for(read(), BODY_TIMEOUT)))
        except asyncio.TimeoutError as error:
            raise HTTPException(408, f'not sent within {BODY_TIMEOUT} s') from error
        except ClientDisconnect as error:
            raise HTTPException(400, 'broken off') from error
        except (ValueError, TypeError, RecursionError) as error:
            raise HTTPException(400, f'expected a JSON object: {error}') from error


def project_id(project: object) -> int:
    """Id of a project, which Label Studio sends as ``id.time``."""
    found = re.fullmatch(r'(\d{1,18})(\.\d*)?', str(project), re.ASCII)
    if found is None:
        raise HTTPException(400, f'project: expected an id, got {project!r:.80}')
    return int(found[1])


async def refuse(request: Request, error: HTTPException) -> Response:
    """Answer with a status and a text."""
    log.warning('%s refused: %s', request.url.path, error.detail)
    answer = dict(error=error.detail)
    return JSONResponse(answer, error.status_code, error.headers)


async def explain(request: Request, error: CapeError) -> Response:
    """Send Label Studio to an address that tells what is wrong.

    Of an error it shows the status and the last address, nothing else.
    """
    log.warning('%s: %s', request.url.path, error)
    text = re.sub(r'[^\w.,:()=-]+', '-', str(error), flags=re.ASCII)[:300]
    return RedirectResponse(f'/problem/{text}', 303)


async def tell_problem(request: Request) -> Response:
    """The end of that way."""
    return JSONResponse(dict(error=request.path_params['text']), 400)


def serve(
    make_backend: Callable[[], LabelStudioBackend],
    host: str = '127.0.0.1',
    port: int = 9090,
    token: str | None = None,
) -> None:
    """Answer Label Studio until a signal ends it.

    Args:
        make_backend: loads the model, once all else is known to be right.
        host: address to listen at; any but 127.0.0.1 needs a token.
        port: number of the port.
        token: that Label Studio has to give as password.

    Raises:
        ConfigError: a token is missing, or the port is taken.
    """
    if host not in LOCAL_NAMES and not token:
        raise ConfigError(
            f'at {host} others can reach it: a --token is needed, which Label Studio '
            f'gives as password'
        )
    try:
        listener = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise ConfigError(f'can not listen at {host}:{port}: {error}') from error
    logging.basicConfig(format='%(asctime)s %(message)s', datefmt='%H:%M:%S')
    log.setLevel(logging.INFO)
    print('loading the model ...', flush=True)
    app = Protocol(make_backend(), token or None).app
    print(f'Label Studio finds it at http://{host}:{port} (Ctrl-C ends it)', flush=True)
    settings = uvicorn.Config(app, log_level='warning', access_log=False)
    uvicorn.Server(settings).run(sockets=[listener])
