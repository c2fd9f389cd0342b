"""The estimator's interface: modes, coordinates, drops, weights."""

from __future__ import annotations

from dataclasses import replace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS
from tiny_cape import (
    PLAIN_PREFIX,
    build_cape,
    cape_config,
    compute_loss,
    make_episode,
    mixed_episodes,
    predict,
    prepare,
    tiny_backbone,
)

from cape_mm.errors import CheckpointError, ConfigError
from cape_mm.models import AutoregressiveHead

MODES = AutoregressiveHead.modes


def test_predictions_have_the_episodes_own_shape(cape):
    for item, prediction in zip(mixed_episodes(), predict(cape, mixed_episodes())):
        shape = item['data_samples'].gt_instances.keypoints.shape
        assert prediction.keypoints.shape == prediction.keypoints_orig.shape == shape
        assert prediction.keypoint_scores.shape == shape[:2]
        assert {value.dtype for value in prediction.values()} == {torch.float32}


def test_tensor_mode_gives_unit_coordinates_and_scores(cape):
    item = make_episode(1)
    cape.eval()
    cape.test_cfg = dict(mode='ar')
    with torch.no_grad():
        points, scores, *_ = cape(prepare(cape, [item])['inputs'])
    (prediction,) = predict(cape, [item])
    torch.testing.assert_close(points * 64 - 0.5, prediction.keypoints)
    assert torch.equal(scores, prediction.keypoint_scores)


def test_source_coordinates_by_hand(cape):
    """Query 0 is the crop's double, shifted; query 1 is turned by a right angle."""
    item = make_episode(1)
    maps = np.array([[[2.0, 0, 10], [0, 2, -5]], [[0.0, -1, 7], [1, 0, 300]]])
    item['data_samples'].set_metainfo(dict(crop_to_image=maps))
    (prediction,) = predict(cape, [item])
    x, y = prediction.keypoints.unbind(-1)
    first = torch.stack([2 * x[0] + 10, 2 * y[0] - 5], dim=-1)
    second = torch.stack([7 - y[1], x[1] + 300], dim=-1)
    expected = torch.stack([first, second])
    torch.testing.assert_close(prediction.keypoints_orig, expected)


@pytest.mark.parametrize('mode', MODES)
def test_dropped_episodes_and_queries(cape, mode):
    """Whatever is missing, the others keep their predictions."""
    items = mixed_episodes()
    dropped = make_episode(9, num_queries=0)
    expected = predict(cape, items, mode)
    empty, *others = predict(cape, [dropped, *items], mode)
    for one, other in zip(others, expected):
        assert torch.equal(one.keypoints, other.keypoints)
    assert empty.keypoints.shape == empty.keypoints_orig.shape == (0, 5, 2)
    assert empty.keypoint_scores.shape == (0, 5)


def test_batch_of_which_nothing_was_loaded(cape):
    dropped = [
        make_episode(seed, size, num_queries=0) for seed, size in ((1, 5), (2, 7))
    ]
    assert prepare(cape, dropped)['inputs'] is None
    predictions = predict(cape, dropped)
    assert [p.keypoints.shape for p in predictions] == [(0, 5, 2), (0, 7, 2)]


def test_dropped_episode_adds_nothing_to_the_loss():
    model = build_cape(head=dict(prefix_mix=PLAIN_PREFIX, random_order_prob=0))
    items = mixed_episodes()
    with_drop = compute_loss(model, [items[0], make_episode(num_queries=0), items[1]])
    assert with_drop == compute_loss(model, items[:2])


def test_unknown_modes_are_refused(cape):
    with pytest.raises(ValueError, match="'loss', 'predict' or 'tensor', got 'test'"):
        cape(**prepare(cape, [make_episode()]), mode='test')
    with pytest.raises(ConfigError, match="one of .* got 'beam'"):
        predict(cape, [make_episode()], mode='beam')


@pytest.mark.parametrize('mode', MODES)
def test_running_adds_no_module_and_no_buffer(mode):
    model = build_cape()
    weights, modules = list(model.state_dict()), list(dict(model.named_modules()))
    buffers = [name for name, _ in model.named_buffers()]
    compute_loss(model, mixed_episodes()).backward()
    predict(model, mixed_episodes(), mode)
    assert list(model.state_dict()) == weights
    assert list(dict(model.named_modules())) == modules
    assert [name for name, _ in model.named_buffers()] == buffers
    assert not any('cache' in name or 'preprocessor' in name for name in weights)


def test_new_model_finds_what_looks_alike():
    """Before any training it compares the query with the appearance of the keypoints.

    The query is the support picture itself, of noise. Weights that are all random find
    12 % of its keypoints to the cell.
    """
    is_near = []
    for seed in range(10):
        torch.manual_seed(seed)
        model = MODELS.build(cape_config('gn')).double()
        inputs = prepare(model, [make_episode(seed, 6, num_queries=1)])['inputs']
        inputs = replace(inputs, query_images=inputs.support_images.flatten(0, 1))
        logits = model.head.propose(model.encode(inputs)).logits  # (1, K, H, W)
        height, width = logits.shape[-2:]
        peak = logits.flatten(2).argmax(dim=-1)
        cell = torch.stack([peak % width, peak // width], dim=-1) + 0.5
        size = torch.tensor([width, height])
        away = (cell - inputs.support_keypoints[:, 0] * size).abs().amax(dim=-1)
        is_near += (away <= 1).flatten().tolist()
    assert sum(is_near) / len(is_near) > 0.6


def test_new_model_decodes_to_its_proposals():
    """Its correction is zero, and stays so through init_weights."""
    model = MODELS.build(cape_config())
    model.init_weights()
    by_mode = [predict(model, mixed_episodes(), mode) for mode in ('parallel', 'ar')]
    for one, other in zip(*by_mode):
        torch.testing.assert_close(one.keypoints, other.keypoints)


def unused_parameters(model, items):
    """Names of the parameters that a loss gives no gradient: DDP would refuse them."""
    compute_loss(model, items).backward()
    return [name for name, p in model.named_parameters() if p.grad is None]


@pytest.mark.parametrize('norm', ['frozen_bn', 'gn'])
def test_every_parameter_gets_a_gradient(norm):
    assert unused_parameters(build_cape(norm), mixed_episodes()) == []


def test_support_backbone_of_its_own():
    """Support images go through one encoder, query images through the other."""
    model = build_cape(support_backbone=tiny_backbone())
    encoders = [model.backbone, model.support_backbone, model.neck, model.support_neck]
    addresses = [p.data_ptr() for part in encoders for p in part.parameters()]
    assert len(set(addresses)) == len(addresses)
    seen = [[], []]
    for images, encoder in zip(seen, encoders):
        encoder.register_forward_pre_hook(lambda _, args, to=images: to.append(args[0]))
    inputs = prepare(model, mixed_episodes(num_shots=2))['inputs']
    model.extract_features(inputs)
    assert torch.equal(seen[0][0], inputs.query_images)
    assert torch.equal(seen[1][0], inputs.support_images.flatten(0, 1))


def test_support_backbone_is_trained_and_predicts_batches():
    """The one layer without a gradient is the one that CAPE's docstring tells of."""
    model = build_cape(support_backbone=tiny_backbone())
    unused = unused_parameters(model, mixed_episodes())
    assert {name.rpartition('.')[0] for name in unused} == {'neck.fpn_convs.2.conv'}
    together = predict(model, mixed_episodes())
    for item, prediction in zip(mixed_episodes(), together):
        (alone,) = predict(model, [item])
        torch.testing.assert_close(
            alone.keypoints, prediction.keypoints, atol=1e-4, rtol=0
        )


def test_frozen_statistics_stay_as_they_are():
    model = build_cape('frozen_bn').train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    compute_loss(model, mixed_episodes()).backward()
    assert any(name.endswith('running_var') for name in before)
    for name, value in model.named_buffers():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize('mode', MODES)
def test_half_precision_gives_finite_numbers(mode):
    model = build_cape(dtype=torch.float32)
    with torch.autocast('cpu', torch.bfloat16):
        loss = compute_loss(model, mixed_episodes())
        predictions = predict(model, mixed_episodes(), mode)
    assert torch.isfinite(loss)
    for prediction in predictions:
        assert all(torch.isfinite(value).all() for value in prediction.values())


def build_pretrained(checkpoint):
    init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint))
    model = MODELS.build(
        cape_config(backbone=tiny_backbone() | dict(init_cfg=init_cfg))
    )
    model.init_weights()
    return model


def test_pretrained_weights_are_loaded(tmp_path):
    weights = build_cape(seed=5, dtype=torch.float32).backbone.state_dict()
    torch.save(dict(state_dict=weights), tmp_path / 'backbone.pth')
    loaded = build_pretrained(tmp_path / 'backbone.pth').backbone.state_dict()
    for name, value in weights.items():
        assert torch.equal(loaded[name], value), name


@pytest.mark.parametrize('content', [None, b'', b'no weights', b'PK\x03\x04 cut short'])
def test_unreadable_pretrained_weights_are_explained(tmp_path, content):
    file = tmp_path / 'resnet.pth'
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r'\(backbone from .*resnet\.pth\)'
    ) as info:
        build_pretrained(file)
    assert 'init_cfg.checkpoint=FILE' in str(info.value)
    assert 'cape_custom_scratch.py' in str(info.value)


def test_foreign_pretrained_weights_are_refused(tmp_path):
    torch.save(dict(conv9=torch.ones(3, 3)), tmp_path / 'foreign.pth')
    with pytest.raises(CheckpointError, match='do not fit .*: only 0 of'):
        build_pretrained(tmp_path / 'foreign.pth')


def test_pretrained_weights_without_a_connection(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError('Name or service not known')

    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr('torch.hub.urlopen', refuse)
    with pytest.raises(
        CheckpointError, match='service not known.*init_cfg.checkpoint=FILE'
    ):
        build_pretrained('torchvision://resnet18')


def test_channels_last_changes_the_layout_only():
    items = [make_episode(1), make_episode(2)]
    plain, last = (build_cape(seed=1, channels_last=flag) for flag in (False, True))
    kernel = last.backbone.conv1.weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    for one, other in zip(predict(plain.eval(), items), predict(last.eval(), items)):
        torch.testing.assert_close(one.keypoints, other.keypoints, atol=1e-6, rtol=0)
