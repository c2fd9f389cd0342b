"""A small run."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from predict_cases import write_pictures, write_support, write_video
from run_cases import PICTURES

from cape_mm.inference import CapeInferencer
from cape_mm.inference.predicting import PredictRequest, predict


@functools.lru_cache(maxsize=8)
def make_inferencer(checkpoint: Path, options: str) -> CapeInferencer:
    """Built once for all tests: this takes longer than the predictions."""
    return CapeInferencer(None, checkpoint, 'cpu', json.loads(options))


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Let all runs with a checkpoint and options share an inferencer."""

    def build(config, checkpoint, device, cfg_options):
        return make_inferencer(checkpoint, json.dumps(cfg_options))

    monkeypatch.setattr(predict, 'CapeInferencer', build)


@pytest.fixture(scope='module')
def queries(tmp_path_factory) -> Path:
    """Seven pictures, and a clip of 7 frames between them."""
    folder = tmp_path_factory.mktemp('queries')
    write_pictures(folder, PICTURES)
    write_video(folder / 'mid clip.mp4', 7)
    return folder


@pytest.fixture
def request_(checkpoint, queries, tmp_path) -> PredictRequest:
    """One shot, batches of two."""
    return PredictRequest(
        checkpoint=checkpoint,
        support=write_support(tmp_path / 'support'),
        queries=[queries],
        out=tmp_path / 'out',
        batch_size=2,
        every=2,
        device='cpu',
        overlay=False,
    )
