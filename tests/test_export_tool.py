"""``tools/export.py``: a checkpoint in, a folder that finds the same keypoints out."""

from __future__ import annotations

import fractions

import numpy as np
import pytest
import torch
from predict_cases import (
    KEYPOINTS,
    SKELETON,
    make_picture,
    marked,
    write_checkpoint,
    write_layout_checkpoint,
)

from cape_mm.inference import CapeInferencer, model_loading

BOXES = [[5, 4, 50, 40], [0, 0, 64, 60]]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp('weights') / 'epoch_1.pth')


def test_export_finds_what_the_inferencer_finds(call, checkpoint, tmp_path):
    pytest.importorskip('onnx', reason='pip install onnx onnxruntime')
    onnxruntime = pytest.importorskip('onnxruntime')
    assert onnxruntime.get_available_providers()
    from cape_mm.deploy.onnx_runner import OnnxCape

    folder = tmp_path / 'exported here'
    outcome = call('export', checkpoint, '--out', folder)
    assert outcome.code == 0, outcome.err
    assert 'decode.onnx' in outcome.out
    assert 'difference' in outcome.out
    pictures = [make_picture(7), make_picture(8)]
    cape = OnnxCape(folder)
    cape.set_support([make_picture(0)], [KEYPOINTS], SKELETON)
    points, confidence, visibility = cape.predict(pictures, BOXES)
    inferencer = marked(CapeInferencer(checkpoint=checkpoint, device='cpu'))
    boxes = [np.array([box], dtype=float) for box in BOXES]
    for index, result in enumerate(inferencer(pictures, bboxes=boxes)):
        np.testing.assert_allclose(points[index], result.keypoints[0], atol=0.01)
        np.testing.assert_allclose(confidence[index], result.confidence[0], atol=1e-4)
        np.testing.assert_allclose(visibility[index], result.visibility[0], atol=1e-4)


def test_no_checkpoint_is_needed(call, checkpoint, tmp_path, monkeypatch):
    pytest.importorskip('onnx', reason='pip install onnx onnxruntime')
    monkeypatch.setattr(model_loading, 'WEIGHTS_IN_THE_BOX', checkpoint)
    outcome = call('export', '--out', tmp_path / 'out', '--no-check')
    assert outcome.code == 0, outcome.err
    assert (tmp_path / 'out/decode.onnx').is_file()


def test_own_checkpoint_of_other_types_needs_trust(call, tmp_path):
    path = write_checkpoint(tmp_path / 'own.pth')
    content = torch.load(path, weights_only=True)
    torch.save(content | dict(extra=fractions.Fraction(1, 3)), path)
    arguments = ('export', path, '--out', tmp_path / 'out', '--no-check')
    outcome = call(*arguments)
    assert outcome.code == 2
    assert '--trust-checkpoint' in outcome.message
    pytest.importorskip('onnx', reason='pip install onnx onnxruntime')
    assert call(*arguments, '--trust-checkpoint').code == 0


def test_a_layout_head_has_no_export_yet(call, tmp_path):
    path = write_layout_checkpoint(tmp_path / 'layout.pth')
    outcome = call('export', path, '--out', tmp_path / 'out')
    assert outcome.code == 2
    assert 'MatchingCAPE with a LayoutHead' in outcome.message
    assert 'configs/cape_custom.py' in outcome.message
    assert not (tmp_path / 'out').exists()
