"""The protocol of Label Studio's ML connection, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hmac
import importlib.util
import json
import logging
import re
import socket
from collections.abc import Callable

from ..errors import CapeError, ConfigError
from .label_studio import LabelStudioBackend, log

MAX_BODY = 64 * 2**20
"""Bytes of a request; ten thousand tasks are a fraction of it."""
BODY_TIMEOUT = 30
ACTIONS = re.compile(r'ANNOTATIONS?_|TASKS_|PROJECT_UPDATED|START_TRAINING')
"""Webhooks that can change the supports."""


class Refused(Exception):
    """A request that is answered with a status and a text."""


def make_app(backend: LabelStudioBackend, token: str | None = None):
    """The ASGI application, of Starlette.

    Args:
        backend: who answers.
        token: asked for as password (HTTP Basic, any user) or as Bearer token; None:
            none is.
    """
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse, RedirectResponse
    from starlette.routing import Route

    async def health(request):
        _check_token(request.headers.get('authorization', ''), token)
        return JSONResponse(dict(status='UP', model_class='cape_mm'))

    async def setup(request):
        body = await _read(request, token)
        project, config = _id_of(body.get('project')), body.get('schema')
        version = await run_in_threadpool(backend.version, project, config)
        backend.refresh(project, config)
        return JSONResponse(dict(model_version=version))

    async def predict(request):
        body = await _read(request, token)
        tasks, params = body.get('tasks'), body.get('params') or {}
        context = params.get('context') if isinstance(params, dict) else None
        if not isinstance(tasks, list) or not all(map(_is_task, tasks)):
            raise Refused(400, 'tasks: expected a list of tasks with id and data')
        project, config = _id_of(body.get('project')), body.get('label_config')
        given = project, config, tasks, context
        results = await run_in_threadpool(backend.predict, *given)
        if context is not None and results and 'error' in results[0]:
            raise ConfigError(results[0]['error'])
        return JSONResponse(dict(results=results))

    async def webhook(request):
        body = await _read(request, token)
        project = body.get('project')
        if ACTIONS.match(str(body.get('action'))) and isinstance(project, dict):
            backend.refresh(_id_of(project.get('id')), project.get('label_config'))
        return JSONResponse(dict(status='ok'))

    async def problem(request):
        return JSONResponse(dict(error=request.path_params['text']), 400)

    async def refuse(request, error):
        log.warning('%s refused: %s', request.url.path, error.args[1])
        headers = {'WWW-Authenticate': 'Basic'} if error.args[0] == 401 else None
        return JSONResponse(dict(error=error.args[1]), error.args[0], headers)

    async def explain(request, error):
        log.warning('%s: %s', request.url.path, error)
        # of an error Label Studio shows the status and the last address, nothing else
        text = re.sub(r'[^\w.,:()=-]+', '-', str(error), flags=re.ASCII)[:300]
        return RedirectResponse(f'/problem/{text}', 303)

    posted = dict(setup=setup, predict=predict, webhook=webhook)
    return Starlette(
        routes=[
            *(Route(path, health) for path in ('/', '/health')),
            *(Route(f'/{name}', do, methods=['POST']) for name, do in posted.items()),
            Route('/problem/{text}', problem),
        ],
        exception_handlers={Refused: refuse, CapeError: explain},
    )


def _check_token(header: str, token: str | None) -> None:
    kind, _, given = header.encode('latin-1').partition(b' ')
    if kind.lower() == b'basic':
        try:
            given = base64.b64decode(given).partition(b':')[2]
        except ValueError:
            given = b''
    if token is not None and not hmac.compare_digest(given, token.encode()):
        raise Refused(401, 'the token is missing or wrong')


async def _read(request, token: str | None) -> dict:
    """The JSON object that was sent, of bounded size and time."""
    _check_token(request.headers.get('authorization', ''), token)
    # the page of another site can't send this type unasked
    if request.headers.get('content-type', '').split(';')[0] != 'application/json':
        raise Refused(415, 'expected application/json')

    async def read() -> bytearray:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY:
                raise Refused(413, f'more than {MAX_BODY:,} bytes')
        return body

    try:
        body = json.loads(await asyncio.wait_for(read(), BODY_TIMEOUT))
    except asyncio.TimeoutError as error:
        raise Refused(408, f'not sent within {BODY_TIMEOUT} s') from error
    except (ValueError, RecursionError) as error:
        raise Refused(400, f'no JSON: {error}') from error
    if not isinstance(body, dict):
        raise Refused(400, 'expected a JSON object')
    return body


def _id_of(project: object) -> int:
    """Id of a project, which Label Studio sends as ``id.time``."""
    found = re.fullmatch(r'(\d{1,18})(\.\d*)?', str(project), re.ASCII)
    if found is None:
        raise Refused(400, f'project: expected an id, got {project!r:.80}')
    return int(found[1])


def _is_task(task: object) -> bool:
    is_task = isinstance(task, dict) and isinstance(task.get('id'), int)
    return is_task and isinstance(task.get('data'), dict)


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
        ConfigError: Starlette or a token is missing, or the port is taken.
    """
    if None in map(importlib.util.find_spec, ('starlette', 'uvicorn')):
        raise ConfigError(
            'the back end needs Starlette: pip install starlette uvicorn (the extra '
            '`label-studio` of cape_mm)'
        )
    if host not in ('127.0.0.1', 'localhost') and not token:
        raise ConfigError(
            f'at {host} others can reach it: a --token is needed, which Label Studio '
            f'gives as password'
        )
    import uvicorn

    try:
        listener = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise ConfigError(f'can not listen at {host}:{port}: {error}') from error
    logging.basicConfig(format='%(asctime)s %(message)s', datefmt='%H:%M:%S')
    log.setLevel(logging.INFO)
    print('loading the model ...', flush=True)
    app = make_app(make_backend(), token or None)
    print(f'Label Studio finds it at http://{host}:{port} (Ctrl-C ends it)', flush=True)
    settings = uvicorn.Config(app, log_level='warning', access_log=False)
    uvicorn.Server(settings).run(sockets=[listener])
