"""Writing ONNX files, and the runner against PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS
from tiny_cape import INPUT_SIZE, build_cape, cape_config, tiny_backbone
from tiny_peers import PEERS, build_peer

from cape_mm.deploy import export_onnx
from cape_mm.deploy.exporting import check_export
from cape_mm.errors import ConfigError

FILES = {'support.onnx', 'query.onnx', 'decode.onnx', 'judge.onnx', 'cape.json'}
RUNNER = {'onnx_runner.py', 'geometry.py', 'skeleton.py'}


@pytest.fixture(scope='module')
def model():
    """With an encoder of its own for supports."""
    return build_cape(
        dtype=torch.float32,
        support_backbone=tiny_backbone(),
        head=dict(test_decoding='steps'),  # as the runner decodes
    ).eval()


@pytest.fixture(scope='module')
def folder(onnx, model, tmp_path_factory):
    return export_onnx(model, tmp_path_factory.mktemp('onnx') / 'out', INPUT_SIZE)


def test_folder_is_complete(folder):
    assert {path.name for path in folder.iterdir()} == FILES | RUNNER
    description = json.loads((folder / 'cape.json').read_text())
    assert description['input_size'] == list(INPUT_SIZE)
    assert description['modes'] == ['parallel', 'ar']
    assert not list(folder.parent.glob('.*'))  # nothing half-written is left


def test_runner_equals_the_model_for_any_size(folder, model):
    # none of these sizes is the one that the files were traced with
    records = check_export(model, folder, sizes=((1, 3, 1), (3, 9, 4)))
    assert [record['mode'] for record in records] == ['parallel', 'ar'] * 2
    for record in records:
        assert record['difference'] < 1e-5, record
        assert record['confidence'] < 1e-5, record


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from onnx_runner import OnnxCape
cape = OnnxCape(sys.argv[1], num_threads=1)
image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
points = np.array([[10, 10], [100, 20], [50, 80], [60, 40]], float)
cape.set_support([image], [points], [(0, 1)], [np.array([1, 1, 0, 1], bool)])
found, confidence, visibility = cape.predict([image, image[:60]], [[0, 0, 120, 90],
                                                                [10, 5, 80, 50]])
others = {'torch', 'cape_mm', 'mmengine', 'scipy'}
assert not others & set(sys.modules), 'not on its own'
assert found.shape == (2, 4, 2) and np.isfinite(found).all()
assert (confidence[:, 2] == 0).all() and (confidence[:, 0] > 0).all()
print(found[:, 2].round(3).tolist())
"""


def test_folder_works_on_its_own(folder):
    run = subprocess.run(
        [sys.executable, '-c', SCRIPT, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    # what no support shows lies in the middle of its square; the middle of the crop is
    # half one of its pixels before the pixel that the box's centre falls on
    half = 1.25 * np.array([[119], [79]]) / INPUT_SIZE[0] / 2
    centers = np.array([[59.5, 44.5], [49.5, 29.5]]) - half
    np.testing.assert_allclose(json.loads(run.stdout), centers, atol=0.01)


def test_runner_says_what_is_wrong(folder):
    from cape_mm.deploy.onnx_runner import OnnxCape

    cape = OnnxCape(folder)
    image = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(ValueError, match='set_support first'):
        cape.predict([image])
    with pytest.raises(ValueError, match='no keypoint of the support is visible'):
        cape.set_support([image], [np.ones((2, 2))], is_visible=[np.zeros(2)])
    cape.set_support([image], [np.ones((2, 2))])
    with pytest.raises(ValueError, match="'serial' is none of"):
        cape.predict([image], mode='serial')
    with pytest.raises(ValueError, match='box .* of picture 0 is empty'):
        cape.predict([image], [[0, 0, 0, 5]])


def test_earlier_export_is_replaced_and_nothing_else(onnx, model, folder, tmp_path):
    (folder / 'judge.onnx').unlink()
    export_onnx(model, folder, INPUT_SIZE)
    assert (folder / 'judge.onnx').exists()
    (tmp_path / 'thesis.txt').write_text('mine')
    with pytest.raises(ConfigError, match='no earlier export'):
        export_onnx(model, tmp_path, INPUT_SIZE)
    assert (tmp_path / 'thesis.txt').read_text() == 'mine'


def test_a_head_without_decoder_has_no_decode_file(onnx, tmp_path):
    cfg = cape_config('frozen_bn')
    cfg['head'] = dict(type='ProposalHead')
    cfg['test_cfg'] = dict(mode='parallel')
    parallel = MODELS.build(cfg).eval()
    folder = export_onnx(parallel, tmp_path / 'out', INPUT_SIZE)
    assert not (folder / 'decode.onnx').exists()
    assert json.loads((folder / 'cape.json').read_text())['modes'] == ['parallel']
    (record,) = check_export(parallel, folder, sizes=((2, 5, 3),))
    assert record['difference'] < 1e-5 and record['confidence'] < 1e-5


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (dict(use_proposals=False), 'use_proposals=False has no export'),
        (dict(test_order='random'), "only test_order='skeleton'"),
    ],
)
def test_what_has_no_export_is_refused(head, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        export_onnx(build_cape(head=head), tmp_path / 'out', INPUT_SIZE)
    with pytest.raises(ConfigError, match='only CAPE models'):
        export_onnx(torch.nn.Linear(1, 1), tmp_path / 'out', INPUT_SIZE)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('head', PEERS)
@pytest.mark.parametrize('shots', ['all', 'any'])
def test_peers_equal_their_model(head, shots, onnx, tmp_path):
    model = build_peer(head, torch.float32, shots=shots, max_keypoints=9).eval()
    folder = export_onnx(model, tmp_path / 'out', INPUT_SIZE)
    assert {path.name for path in folder.glob('*.onnx')} == {
        *('support.onnx', 'query.onnx')
    }
    records = check_export(model, folder, sizes=((1, 3, 1), (3, 9, 4), (2, 5, 2)))
    assert all(record['mode'] == 'parallel' for record in records)
    assert max(record['difference'] for record in records) < 1e-5, records
    assert max(record['confidence'] for record in records) < 1e-5, records
