"""What the page's server answers to, and where the page gets its model from."""

from __future__ import annotations

import ast
import asyncio
import os
import socket
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from predict_cases import make_picture, write_checkpoint
from tool_calls import REPO, ToolCaller

from cape_mm.demo import DemoSession, Limits, serving
from cape_mm.demo.session import SessionStore
from cape_mm.errors import ConfigError
from cape_mm.inference import CapeInferencer, model_loading

LIMITS = Limits(max_file_bytes=100_000, max_queries=4)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def test_tool_without_any_checkpoint_says_what_to_do(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(model_loading, 'WEIGHTS_IN_THE_BOX', tmp_path / 'none.pth')
    monkeypatch.setattr(serving, 'check_gradio', lambda: None)
    outcome = ToolCaller(monkeypatch, capfd)('demo')
    assert outcome.code == 2
    assert 'none.pth. Fetch it' in outcome.message


def test_tool_without_gradio_says_what_to_install(monkeypatch, capfd):
    monkeypatch.setattr(serving.importlib.util, 'find_spec', lambda name: None)
    outcome = ToolCaller(monkeypatch, capfd)('demo')
    assert outcome.code == 2
    assert 'pip install "gradio' in outcome.message


def imported_names(path: Path) -> set[str]:
    """What a module imports as soon as it is imported itself."""
    names = set()
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names |= {f'{node.module or ""}.{alias.name}' for alias in node.names}
    return {part for name in names for part in name.split('.')}


def test_only_the_modules_of_the_page_itself_import_gradio():
    importers = {'gradio': set(), 'starlette': set(), 'demo': set()}
    for path in (REPO / 'cape_mm').rglob('*.py'):
        for name in importers.keys() & imported_names(path):
            importers[name].add(path.name)
    assert importers == {
        'gradio': {'app.py', 'layout.py'},
        'starlette': set(),
        'demo': set(),
    }


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """Address and components of a page with random weights."""
    pytest.importorskip('gradio', reason='Gradio is not installed: extra `demo`')
    path = write_checkpoint(tmp_path_factory.mktemp('weights') / 'epoch_1.pth')
    inferencer = CapeInferencer(checkpoint=path, device='cpu')
    with serving.running_page(inferencer, path, port=free_port(), limits=LIMITS) as it:
        yield it


def get(url: str, path: str, data: bytes | None = None, **headers: str):
    """Status and body."""
    request = urllib.request.Request(url + path, data, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def upload(url: str, size: int) -> tuple[int, bytes]:
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../a.png"'
    body = head + b'\r\n\r\n' + bytes(size) + b'\r\n--x--\r\n'
    kind = {'Content-Type': 'multipart/form-data; boundary=x'}
    return get(url, 'gradio_api/upload', body, **kind)


def test_page_is_served_locally_without_analytics(page):
    url, blocks = page
    status, text = get(url, '')
    assert status == 200
    assert b'gradio' in text
    assert url.startswith('http://127.0.0.1:')
    assert blocks.analytics_enabled is False
    assert blocks.share is False
    assert blocks.allowed_paths == []
    assert get(url, '', Host='evil.example')[0] == 400


@pytest.mark.parametrize('name', ['/etc/passwd', str(REPO / 'setup.py'), 'setup.py'])
def test_server_hands_out_no_file_of_its_machine(page, name):
    quoted = urllib.parse.quote(name, safe='')
    for path in (
        *(f'gradio_api/file={name}', f'gradio_api/file={quoted}', f'file={name}'),
        *(f'assets/..{name}', f'static/%2e%2e/%2e%2e{quoted}', f'assets/{quoted}'),
        f'gradio_api/file/{name}',
    ):
        status, body = get(page[0], path)
        assert status in (403, 404), path
        assert b'root:' not in body and b'install_requires' not in body


def test_upload_is_bounded_and_lands_in_the_own_folder(page):
    url, blocks = page
    status, body = upload(url, 1000)
    assert status == 200
    place = Path(body.decode().strip('[]"\n'))
    assert place.name == 'a.png'
    assert place.resolve().parents[1] == Path(blocks.GRADIO_CACHE).resolve()
    assert 'cape_demo_' in str(place)
    assert upload(url, 100_001)[0] == 413
    assert upload(url, 600_000)[0] == 413


def test_no_component_fetches_an_address(page):
    import gradio

    for block in page[1].blocks.values():
        with pytest.raises(gradio.Error, match='only files can be uploaded'):
            asyncio.run(block.async_move_resource_to_block_cache('http://x.example/a'))


def test_download_stays_until_its_user_leaves(monkeypatch, tmp_path):
    pytest.importorskip('gradio', reason='Gradio is not installed: extra `demo`')
    monkeypatch.setenv('GRADIO_TEMP_DIR', str(tmp_path))
    from gradio.route_utils import delete_files_created_by_app

    from cape_mm.demo.app import Page

    store = SessionStore(lambda: DemoSession(None), limit=2)
    page = Page(store, tmp_path, 'epoch_1.pth', LIMITS)
    content = cv2.imencode('.png', make_picture(0))[1].tobytes()
    with store.use('user') as session:
        session.add_support('a.png', content)
        session.add_point([10, 20])
        path = Path(page._download(session, 'user')['value'])
    asyncio.run(page.layout.download.async_move_resource_to_block_cache(str(path)))
    delete_files_created_by_app(page.blocks, age=-1)  # whatever is older than now
    assert path.is_file()
    page._leave(SimpleNamespace(session_hash='user'))
    assert len(store) == 0
    assert list((tmp_path / 'exports').iterdir()) == []


def test_taken_port_says_so(page):
    port = int(page[0].rstrip('/').rsplit(':')[-1])
    with (
        pytest.raises(ConfigError, match='Name another --port'),
        serving.running_page(None, 'epoch_1.pth', port=port),
    ):
        pass


def test_nothing_is_left_behind(monkeypatch, tmp_path):
    pytest.importorskip('gradio', reason='Gradio is not installed: extra `demo`')
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    monkeypatch.delenv('GRADIO_TEMP_DIR', raising=False)
    with serving.running_page(None, 'epoch_1.pth', port=free_port()) as (url, _):
        assert upload(url, 1000)[0] == 200
        assert list(tmp_path.glob('cape_demo_*/*/a.png'))
    assert list(tmp_path.iterdir()) == []
    assert 'GRADIO_TEMP_DIR' not in os.environ


def test_no_event_is_offered_as_an_api(page):
    functions = page[1].fns.values()
    assert len(functions) > 20
    hidden = {function.api_visibility for function in functions if function.outputs}
    assert hidden == {'private'}
