"""Fixtures that tests of several parts share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from episode_data import CocoTree
from mmengine.logging import MMLogger
from shared_folder import SHARED
from tool_calls import FAST, TINY, ToolCaller

from cape_mm.datasets.synthetic import write_synthetic_mp100

torch.set_num_threads(1)  # the tests are tiny: threads would only wait for each other
sys.path.append(str(Path(__file__).resolve().parents[1] / 'tools'))  # command_line


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Folder of real data, which is no part of the project."""
    folder = SHARED / 'data'
    if not folder.is_dir():
        pytest.skip(f'no real data: {folder} does not exist (CAPE_MM_SHARED)')
    return folder.resolve()


@pytest.fixture(scope='session')
def mp100_annotations(shared_data) -> Path:
    """Folder of the real MP-100 annotation files."""
    folder = shared_data / 'mp100_annotations'
    if not folder.is_dir():
        pytest.skip(f'no real MP-100 annotation files: {folder} does not exist')
    return folder


@pytest.fixture(scope='session')
def synthetic_root(tmp_path_factory) -> Path:
    """A tiny synthetic MP-100, written once; read it, don't change it."""
    root = tmp_path_factory.mktemp('synthetic_mp100') / 'data'
    write_synthetic_mp100(
        root,
        seed=3,
        num_workers=1,
        num_categories=dict(train=3, val=1, test=2),
        instances_per_category=8,
        image_size=64,
        double_share=0.3,
    )
    return root


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs a tool in this process."""
    return ToolCaller(monkeypatch, capfd)


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory) -> Path:
    """Weights of ``configs/cape_tiny_scratch.py``, made small, and never trained."""
    from mmpose.registry import MODELS

    from cape_mm.apis import load_config, parse_cfg_options

    cfg = load_config(TINY, parse_cfg_options(FAST[1:]))
    path = tmp_path_factory.mktemp('untrained') / 'epoch_1.pth'
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=weights, meta={}), path)
    return path


@pytest.fixture
def coco_tree(tmp_path) -> CocoTree:
    """An empty data root to fill."""
    return CocoTree(tmp_path / 'data')


@pytest.fixture
def log_records() -> Iterator[list[logging.LogRecord]]:
    """What is logged through MMEngine while the test runs."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)
