"""Skips what needs the ONNX packages where they are not installed."""

from __future__ import annotations

import pytest


@pytest.fixture(scope='session')
def onnx():
    """onnxruntime, with onnx beside it."""
    pytest.importorskip('onnx', reason='pip install onnx onnxruntime')
    return pytest.importorskip('onnxruntime', reason='pip install onnxruntime')
