"""The server of the page: on this machine only, with nothing on its disk."""

from __future__ import annotations

import importlib.util
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigError
from ..inference import CapeInferencer
from ..inference.model_loading import find_checkpoint
from .pictures import Limits
from .session import DemoSession, SessionStore

LOCAL_HOSTS = ('127.0.0.1', 'localhost', '::1')
MAX_CONNECTIONS = 200
START_SECONDS = 30


def serve(
    checkpoint: str | Path | None = None,
    config: str | Path | None = None,
    device: str | None = None,
    host: str = '127.0.0.1',
    port: int = 7860,
) -> None:
    """Load a model, open the page and keep it open until a signal ends it.

    Args:
        checkpoint: file of weights; None takes the one that comes with the package.
        config: config file; None takes the one in the checkpoint.
        device: e.g. ``'cuda:1'``; None takes a GPU if there is one.
        host: address to listen at; any but 127.0.0.1 opens the page to others.
        port: number of the port.

    Raises:
        ConfigError: Starlette or uvicorn is missing, or the port is taken.
        CheckpointError: the checkpoint can't be used.
    """
    check_packages()
    weights = find_checkpoint(checkpoint)
    print(f'loading {weights} ...', flush=True)
    inferencer = CapeInferencer(config, checkpoint, device)
    with running_page(inferencer, str(weights), host, port) as (url, _):
        print(f'The page is at {url} (Ctrl-C ends it)', flush=True)
        if host not in LOCAL_HOSTS:
            print(
                f'note: it listens at {host}: whoever reaches this machine can use it '
                f'without a password',
                flush=True,
            )
        threading.Event().wait()


def check_packages() -> None:
    """Say what to install where the web server is missing.

    Raises:
        ConfigError: it is.
    """
    missing = [n for n in ('starlette', 'uvicorn') if not importlib.util.find_spec(n)]
    if missing:
        raise ConfigError(
            f'the page needs {" and ".join(missing)}, which is not installed: '
            f'`pip install starlette uvicorn` (the extra `demo` of cape_mm).'
        )


@contextmanager
def running_page(
    inferencer: CapeInferencer,
    model_name: str,
    host: str = '127.0.0.1',
    port: int = 7860,
    limits: Limits | None = None,
) -> Iterator[tuple[str, SessionStore]]:
    """The page while the context is open: its address, and the users' sessions.

    Raises:
        ConfigError: the port is taken.
    """
    import uvicorn

    from .app import PageApp

    limits = limits or Limits()
    store = SessionStore(lambda: DemoSession(inferencer, limits), limits)
    page = PageApp(store, Path(model_name).name, limits)
    config = uvicorn.Config(
        page.build(is_local=host in LOCAL_HOSTS),
        **dict(log_level='warning', access_log=False, server_header=False),
        **dict(lifespan='off', ws='none', limit_concurrency=MAX_CONNECTIONS),
        **dict(http='h11', proxy_headers=False, timeout_graceful_shutdown=2),
    )
    listener = _listen(host, port)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        end = time.monotonic() + START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > end:
                raise ConfigError(f'the page did not open at {host}:{port}')
            time.sleep(0.01)
        name = f'[{host}]' if ':' in host else host
        yield f'http://{name}:{listener.getsockname()[1]}/', store
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(
            f'the page can not be opened at {host}:{port}: {error}. Name another '
            f'--port.'
        ) from error
    return listener
