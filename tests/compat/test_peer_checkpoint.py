"""Published checkpoints: renamed completely or refused; the numbers of their code."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from malicious_checkpoints import write_all
from mmengine.structures import InstanceData
from peer_files import CONFIGS, build, formula_weights, published, save
from shared_folder import SHARED

from cape_mm.compat.peer_checkpoint import convert_peer, rename_weights
from cape_mm.datasets import collate_episodes
from cape_mm.errors import CheckpointError, ConfigError
from cape_mm.inference.model_loading import load_model
from cape_mm.models.layers.refinement import soft_argmax
from cape_mm.structures import EpisodeDataSample
from cape_mm.structures.geometry import crop_matrix, invert_affine

NAMES = ('capeformer_r50', 'graphcape_r50', 'graphcape_swinv2_t', 'graphcape_swinv2_s')
REFERENCES = {
    'capeformer': 'capeformer_r50',
    'poseanything_r50': 'graphcape_r50',
    'poseanything_swint': 'graphcape_swinv2_t',
}
SIZES = (17, 68)
STATISTICS = np.array([[123.675, 116.28, 103.53], [58.395, 57.12, 57.375]])


def convert(path, name, out):
    return convert_peer(path, name.split('_')[0], out, CONFIGS)


@pytest.mark.parametrize('name', NAMES)
def test_every_key_is_renamed(name, tmp_path):
    weights = published(name)
    told = convert(save(tmp_path / 'a.pth', weights), name, tmp_path / 'out.pth')
    assert f'{len(weights)} tensors' in told and name in told
    assert ('backbone.head.weight' in told) == ('swin' in name)
    content = torch.load(tmp_path / 'out.pth', weights_only=True)
    assert content.keys() == {'meta', 'state_dict'}
    assert content['meta'].keys() == {
        *('experiment_name', 'converted_from', 'prediction_config')
    }
    expected = build(name).state_dict()
    shapes = {key: value.shape for key, value in content['state_dict'].items()}
    assert shapes == {key: value.shape for key, value in expected.items()}


def test_projections_are_cut_in_order():
    weights = published('graphcape_r50')
    prefix = 'keypoint_head.transformer'
    rows = torch.arange(768.0)
    weights[f'{prefix}.encoder.layers.1.self_attn.in_proj_bias'] = rows
    cross = f'{prefix}.decoder.layers.2.multihead_attn.v_proj_weight'
    weights[cross] = weights[cross] + 1
    weights[f'{prefix}.decoder.layers.0.ffn1.conv.weight'] = torch.rand(4096, 256, 1)
    renamed, _ = rename_weights(weights)
    for index, part in enumerate(('query', 'key', 'value')):
        piece = renamed[f'head.encoder.1.attention.{part}.bias']
        assert piece.tolist() == list(range(256 * index, 256 * (index + 1)))
    assert (renamed['head.decoder.2.cross_attention.value.weight'] == 1.5).all()
    assert renamed['head.decoder.0.feed_forward.spread.weight'].shape == (4096, 256)


def test_two_names_of_one_backbone(tmp_path):
    weights = published('capeformer_r50')
    assert 'two names' not in convert(
        save(tmp_path / 'a.pth', weights), 'capeformer_r50', tmp_path / 'out.pth'
    )
    weights['encoder_query.bn1.bias'] = torch.ones(64)
    renamed, replaced = rename_weights(weights)
    assert replaced == ['encoder_query']
    assert (renamed['backbone.bn1.bias'] == 1).all()


def without(weights, *parts):
    return {k: v for k, v in weights.items() if not any(p in k for p in parts)}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: without(w, 'choker.bias'), r'3 missing: head.decoder.0.squeeze'),
        (lambda w: {**w, 'neck.x': torch.ones(1)}, '1 unexpected: neck.x'),
        (
            lambda w: {**w, 'encoder_query.layer3.6.conv1.weight': torch.ones(1)},
            r'1 unexpected: backbone.layer3.6.conv1.weight',
        ),
        (
            lambda w: {**w, 'keypoint_head.input_proj.bias': torch.ones(9)},
            r'1 of another shape: head.project_map.bias \(9\) instead of \(256\)',
        ),
        (
            lambda w: without(w, 'transformer.'),
            'neither of CapeFormer nor of GraphCape',
        ),
        (lambda w: published('graphcape_r50'), 'is one of graphcape: name that'),
        (lambda w: {'state': torch.tensor(1)}, 'has no keypoint_head.transformer'),
    ],
)
def test_other_checkpoints_are_refused(change, message, tmp_path):
    path = save(tmp_path / 'a.pth', change(published('capeformer_r50')))
    with pytest.raises(CheckpointError, match=message):
        convert(path, 'capeformer', tmp_path / 'out.pth')
    assert list(tmp_path.iterdir()) == [path]


def test_other_swin_is_refused(tmp_path):
    wide = {
        key: torch.zeros(()).expand([side * 4 // 3 for side in value.shape])
        for key, value in published('graphcape_swinv2_s').items()
    }
    with pytest.raises(CheckpointError, match='not what graphcape_swinv2_s.py'):
        convert(save(tmp_path / 'a.pth', wide), 'graphcape', tmp_path / 'out.pth')


def test_unknown_method_and_unwritable_place(tmp_path):
    path = save(tmp_path / 'a.pth', published('capeformer_r50'))
    with pytest.raises(ConfigError, match="method must be one of .* got 'edgecape'"):
        convert(path, 'edgecape', tmp_path / 'out.pth')
    for place in (tmp_path, path / 'out.pth'):
        with pytest.raises(OSError, match='can not be written'):
            convert(path, 'capeformer', place)
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_in_a_file_is_run(tmp_path):
    """Not even where other tools were told to trust."""
    canary = tmp_path / 'canary'
    base = torch.load(save(tmp_path / 'a.pth', published('capeformer_r50')))
    base |= dict(message_hub=dict(log_scalars={}))
    for kind, path in write_all(tmp_path, base, canary).items():
        try:
            convert(path, 'capeformer', tmp_path / 'out.pth')
        except CheckpointError as error:
            assert 'trust' not in str(error), kind
        else:
            assert kind == 'as_config'  # text, which is left out
        assert not canary.exists(), kind


def reference_item(inputs, index: int) -> dict:
    """The support-query pair of a reference, as the data set gives it."""
    mean, std = STATISTICS[:, :, None, None]
    pictures = [
        torch.from_numpy((inputs[key][index] * std + mean).round()[::-1].copy())
        for key in ('img_s', 'img_q')
    ]
    num = SIZES[index]
    heatmaps = inputs['target_s'][index, :num]
    cells = heatmaps.reshape(num, -1).argmax(axis=1)
    points = np.stack([cells % 64, cells // 64], axis=-1) * 4.0
    visible = inputs['target_weight_s'][index, :num, 0] > 0
    supports, queries = (
        InstanceData(
            keypoints=torch.from_numpy(points)[None].float(),
            is_visible=torch.from_numpy(visible)[None],
        )
        for _ in range(2)
    )
    side = float(inputs['query_scale'][index, 0] * 200)
    to_crop = crop_matrix(inputs['query_center'][index], side, (256, 256))
    key = f'skeleton{index}'
    sample = EpisodeDataSample(
        metainfo=dict(
            category_id=index,
            num_keypoints=num,
            skeleton=inputs[key].tolist() if key in inputs else [],
            input_size=(256, 256),
            query_slots=[0],
            crop_to_image=invert_affine(to_crop)[None],
            dropped_pairs=[],
        )
    )
    sample.support_instances, sample.gt_instances = supports, queries
    support, query = (picture.byte()[None] for picture in pictures)
    return dict(inputs=dict(support=support, query=query), data_samples=sample)


@pytest.mark.parametrize('name', REFERENCES)
def test_numbers_of_the_published_code(name, tmp_path):
    """File -> converter -> checkpoint -> batch of both pairs -> the reference."""
    folder = SHARED / 'parity/peers' / name
    if not folder.is_dir():
        pytest.skip(f'no reference outputs: {folder} does not exist')
    table = json.loads((folder / 'state_dict_keys.json').read_text())
    path = save(tmp_path / 'a.pth', formula_weights(table))
    convert(path, REFERENCES[name], tmp_path / 'out.pth')
    model, _ = load_model(tmp_path / 'out.pth', device='cpu')
    inputs = dict(np.load(folder / 'inputs.npz'))
    outputs = np.load(folder / 'outputs.npz')
    batch = collate_episodes([reference_item(inputs, index) for index in range(2)])
    given = model.data_preprocessor(batch)
    samples = model.predict(**given)
    with torch.no_grad():
        _, _, similarity = model.head.match(model.encode(given['inputs']))
    for index, num in enumerate(SIZES):
        visible = samples[index].support_instances.is_visible[0]
        assert 0 < visible.sum() < num
        expected = {
            key: torch.from_numpy(outputs[f'q{index}/{key}'])[..., :num, :][
                ..., visible, :
            ]
            for key in ('output', 'initial_proposals', 'preds')
        }
        found = samples[index].pred_instances
        units = found.keypoints[0, visible] / 256
        limits = dict(rtol=0, atol=5e-6)
        torch.testing.assert_close(units, expected['output'][-1, 0], **limits)
        proposals = soft_argmax(similarity[[index], :num])[:, visible]
        torch.testing.assert_close(proposals, expected['initial_proposals'], **limits)
        maps = torch.from_numpy(outputs[f'q{index}/similarity_map'])[:, :num]
        torch.testing.assert_close(similarity[[index], :num], maps, rtol=0, atol=2e-4)
        pixels, in_image = found.keypoints_orig[0, visible], expected['preds'][0, :, :2]
        torch.testing.assert_close(pixels, in_image, rtol=0, atol=2e-3)
