"""The benchmark from its command line, and the oracles of its parts."""

from __future__ import annotations

import json

import pytest
import torch
from mmengine.config import ConfigDict
from tool_calls import FAST, REPO, TINY

from cape_mm.analysis.benchmark import count_flops, ratio, summarise
from cape_mm.analysis.random_model import drop_pretrained, prepare
from cape_mm.apis import parse_cfg_options

SIZE = ('--input-size', '64', '--num-keypoints', '5', '--device', 'cpu')
SHORT = ('--steps', '2', '--warmup', '1', '--rounds', '2')
OPTIONS = parse_cfg_options(FAST[1:])
SMALL = dict(num_keypoints=5, input_size=64, batch_size=2)


@pytest.mark.parametrize('mode', ['train', 'predict'])
def test_record_of_a_config(call, tmp_path, mode):
    out = tmp_path / 'new' / 'result.json'
    arguments = (TINY, '--mode', mode, *SIZE, *SHORT, '--out', out, *FAST)
    result = call('benchmark', *arguments)
    assert result.code == 0, result.err
    assert str(out) in result.out
    record = json.loads(out.read_text())
    one = record['A']
    per_second = one['episodes_per_s'] * one['ms_per_step']['median']
    assert per_second == pytest.approx(1000 * one['sizes']['batch_size'], rel=0.5)
    assert one['ms_per_query']['n'] == 2
    assert one['parts_ms'].keys() >= {'backbone', 'keypoint_tokens', 'joint_encoder'}
    assert 0 < one['parts_ms']['backbone'] < one['ms_per_step']['q3']
    parts = dict(one['parameters'])
    assert parts.pop('total') == sum(parts.values())
    assert one['gflops_per_query'] > 0
    assert one['peak_memory_mib'] > 50
    assert record['environment']['threads'] == torch.get_num_threads()
    assert record['environment']['versions']['torch'] == torch.__version__
    assert {'commit', 'device_name'} <= record['environment'].keys()
    assert record['settings']['seed'] == 0


def test_comparison(call, tmp_path):
    out = tmp_path / 'r.json'
    compare = ('--compare', TINY, '--mode', 'predict', '--out', out)
    result = call('benchmark', TINY, *compare, *SIZE, *SHORT, *FAST)
    assert result.code == 0, result.err
    assert 'B over A' in result.out
    record = json.loads(out.read_text())
    assert 0.3 < record['b_over_a']['median'] < 3  # the same config
    assert record['A']['parameters'] == record['B']['parameters']


def test_loader(call, synthetic_root, tmp_path):
    options = (*FAST, f'data_root={synthetic_root}')
    arguments = (TINY, '--loader', '--batch-size', '3', '--device', 'cpu')
    out = tmp_path / 'r.json'
    result = call('benchmark', *arguments, *SHORT, '--out', out, *options)
    assert result.code == 0, result.err
    # an epoch has 6 episodes: the third step is the next epoch's
    assert json.loads(out.read_text())['A']['sizes'] == dict(batch_size=3)


def test_flops_by_hand():
    """Twice the queries of a support: less per query, as its share falls."""
    one, _ = prepare(TINY, OPTIONS, device='cpu', sizes=SMALL)
    two, _ = prepare(TINY, OPTIONS, device='cpu', sizes=SMALL | dict(num_queries=2))
    first, second = count_flops(one), count_flops(two)
    assert 0.5 * first < second < 0.9 * first
    assert not one.model.training


def test_pretrained_weights_are_dropped():
    pretrained = dict(type='Pretrained', checkpoint='x.pth')
    model = ConfigDict(
        dict(
            backbone=dict(type='ResNet', init_cfg=pretrained),
            neck=dict(init_cfg=[dict(type='Xavier'), pretrained]),
            head=dict(init_cfg=dict(type='Xavier')),
        )
    )
    drop_pretrained(model)
    assert model.backbone.init_cfg is None
    assert model.neck.init_cfg is None
    assert model.head.init_cfg == dict(type='Xavier')


def test_ratio_is_taken_pair_by_pair():
    # the second pair was measured in a slow moment: both are slower
    assert ratio([2.0, 20.0, 3.0], [1.0, 10.0, 2.0])['median'] == 2
    assert summarise([1, 2, 3, 4, 50])['median'] == 3


@pytest.mark.parametrize(
    'arguments, message',
    [
        (
            ('--mode', 'predit'),
            "mode must be one of ('train', 'predict'), got 'predit'",
        ),
        (('--device', 'cuda:99'), 'device cuda:99 is not available'),
        (
            ('--device', 'abacus'),
            "device must be cpu, cuda, cuda:<n> or mps, got 'abacus'",
        ),
        (('--seed', '-1'), '--seed must be a whole number, at least 0, got -1'),
        (('--num-shots', '0'), '--num-shots must be a whole number, at least 1'),
        (('--steps', '0'), '--steps must be a whole number, at least 1'),
        (('--input-size', '8'), '--input-size must be a whole number, at least 32'),
        (('--loader', '--num-keypoints', '3'), 'loader: the data decide'),
        (('--loader',), "data root '/none' does not exist"),
        (('--out', REPO), 'is a folder'),
    ],
)
def test_bad_input_is_one_message(call, arguments, message):
    options = ('--cfg-options', 'data_root=/none')
    result = call('benchmark', TINY, *arguments, *options)
    assert result.code == 2
    assert message in result.message
