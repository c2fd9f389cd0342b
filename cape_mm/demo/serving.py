"""The server of the page: on this machine only, with a folder of its own."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigError
from ..inference import CapeInferencer
from ..inference.model_loading import find_checkpoint
from . import page_assets as assets
from .guard import RequestGuard
from .pictures import Limits
from .session import DemoSession, SessionStore

LOCAL_NAMES = ('127.0.0.1', 'localhost')
QUIET = {
    'GRADIO_ANALYTICS_ENABLED': 'False',
    'HF_HUB_DISABLE_TELEMETRY': '1',
    'HF_HUB_OFFLINE': '1',
}


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
        ConfigError: Gradio is missing, or the port is taken.
        CheckpointError: the checkpoint can't be used.
    """
    check_gradio()
    print(f'loading {find_checkpoint(checkpoint)} ...', flush=True)
    inferencer = CapeInferencer(config, checkpoint, device)
    with running_page(inferencer, str(find_checkpoint(checkpoint)), host, port) as (
        url,
        _,
    ):
        print(f'The page is at {url} (Ctrl-C ends it)', flush=True)
        if host not in LOCAL_NAMES:
            print(
                f'note: it listens at {host}: whoever reaches this machine can use it '
                f'without a password',
                flush=True,
            )
        threading.Event().wait()


def check_gradio() -> None:
    """Say what to install where Gradio is missing.

    Raises:
        ConfigError: it is.
    """
    if importlib.util.find_spec('gradio') is None:
        raise ConfigError(
            'the page needs Gradio, which is not installed. Install it with '
            '`pip install "gradio>=6,<7"` (the extra `demo` of cape_mm).'
        )


@contextmanager
def running_page(
    inferencer: CapeInferencer,
    model_name: str,
    host: str = '127.0.0.1',
    port: int = 7860,
    limits: Limits | None = None,
) -> Iterator[tuple[str, object]]:
    """The page while the context is open: its address and the ``gr.Blocks``.

    Uploads and downloads are kept in a folder that is removed at the end.

    Raises:
        ConfigError: the port is taken.
    """
    limits = limits or Limits()
    store = SessionStore(lambda: DemoSession(inferencer, limits), limits.max_sessions)
    with tempfile.TemporaryDirectory(prefix='cape_demo_') as name:
        folder = Path(name).resolve()
        with _environment({**QUIET, 'GRADIO_TEMP_DIR': str(folder)}):
            from .app import Page  # Gradio reads its settings on import

            blocks = Page(store, folder, Path(model_name).name, limits).blocks
            blocks.queue(max_size=64)
            try:
                yield _launch(blocks, folder, host, port, limits), blocks
            finally:
                blocks.close(verbose=False)


def _launch(blocks, folder: Path, host: str, port: int, limits: Limits) -> str:
    """Start the server in a thread; returns the page's address."""
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    # another site's page can't reach this one by a name of its own (DNS rebinding)
    names = [*LOCAL_NAMES] if host in LOCAL_NAMES else ['*']
    guard = dict(
        folder=folder,
        max_upload=limits.max_request_bytes,
        max_folder=limits.max_folder_bytes,
    )
    fonts = dict(font=['system-ui', 'sans-serif'], font_mono=['monospace'])
    try:
        _, url, _ = blocks.launch(
            **dict(server_name=host, server_port=port, share=False, quiet=True),
            **dict(prevent_thread_lock=True, inbrowser=False, ssr_mode=False),
            **dict(allowed_paths=[], max_file_size=limits.max_file_bytes, pwa=False),
            **dict(mcp_server=False, run_history=False, footer_links=[]),
            **dict(enable_monitoring=False, show_error=False),
            **dict(theme=gr.themes.Soft(**fonts), css=assets.CSS, js=assets.SCRIPT),
            app_kwargs=dict(
                **dict(docs_url=None, redoc_url=None, openapi_url=None),
                middleware=[
                    Middleware(TrustedHostMiddleware, allowed_hosts=names),
                    Middleware(RequestGuard, **guard),
                ],
            ),
        )
    except OSError as error:
        raise ConfigError(
            f'the page can not be opened at {host}:{port}: {error}. Name another '
            f'--port.'
        ) from error
    return url


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Environment variables, put back at the end."""
    before = {key: os.environ.get(key) for key in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
