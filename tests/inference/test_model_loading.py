"""The model in the box: what is used where nobody names a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from predict_cases import make_picture, marked, write_checkpoint

from cape_mm.errors import CheckpointError
from cape_mm.inference import CapeInferencer, model_loading
from cape_mm.inference.model_loading import WEIGHTS_IN_THE_BOX, load_model


@pytest.fixture
def box(monkeypatch, tmp_path) -> Path:
    """A tiny model of half precision in the place of the real one."""
    path = write_checkpoint(tmp_path / 'cape_lite0.pth', torch.float16)
    monkeypatch.setattr(model_loading, 'WEIGHTS_IN_THE_BOX', path)
    return path


def test_it_needs_no_name_and_computes_in_full_precision(box, checkpoint):
    inferencer = marked(CapeInferencer(device='cpu'))
    assert {p.dtype for p in inferencer.model.parameters()} == {torch.float32}
    stored = torch.load(box, weights_only=True)['state_dict']
    kinds = {value.dtype for value in stored.values() if value.is_floating_point()}
    assert kinds == {torch.float16}
    full = marked(CapeInferencer(checkpoint=checkpoint, device='cpu'))
    (found,), (expected,) = inferencer(make_picture(5)), full(make_picture(5))
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=0.5)


def test_a_message_where_it_is_missing(box):
    box.unlink()
    with pytest.raises(CheckpointError, match='cape_lite0.pth. Fetch it .* or name a'):
        load_model()


@pytest.mark.skipif(not WEIGHTS_IN_THE_BOX.is_file(), reason='not in this copy')
def test_the_real_one_loads_and_is_small():
    assert WEIGHTS_IN_THE_BOX.stat().st_size <= 12 * 2**20
    inferencer = CapeInferencer(device='cpu')
    points = [[10.0, 12.0], [40.0, 20.0], [30.0, 50.0]]
    inferencer.set_support(make_picture(0), points)
    (result,) = inferencer(make_picture(0))
    # on the support itself it finds what was marked
    assert np.abs(result.keypoints[0] - points).max() < 8
