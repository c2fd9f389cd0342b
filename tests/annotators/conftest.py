"""A back end with a tiny model, and a server that it asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_studio import KEY, Studio
from predict_cases import write_layout_checkpoint

from cape_mm.annotators.label_studio import LabelStudioBackend
from cape_mm.annotators.label_studio_client import LabelStudioClient
from cape_mm.inference import CapeInferencer


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A Label Studio without tasks."""
    with Studio() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(studio: Studio) -> LabelStudioClient:
    """Of that server."""
    return LabelStudioClient(studio.url, KEY)


@pytest.fixture(scope='session')
def weights(tmp_path_factory) -> Path:
    """A tiny checkpoint."""
    return write_layout_checkpoint(tmp_path_factory.mktemp('weights') / 'tiny.pth')


@pytest.fixture
def backend(client: LabelStudioClient, weights: Path) -> LabelStudioBackend:
    """With a tiny model."""
    return LabelStudioBackend(client, lambda: CapeInferencer(None, weights), 'tiny')
