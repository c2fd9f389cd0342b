"""A picture through the inferencer beside the backbone, from the command line."""

from __future__ import annotations

import json

import pytest
from tool_calls import FAST, TINY, ToolCaller

SHORT = ('--mode', 'infer', '--steps', '2', '--warmup', '0', '--num-keypoints', '5')


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs the tool in this process."""
    return ToolCaller(monkeypatch, capfd)


def measure(call, *arguments) -> tuple[dict, str]:
    result = call('benchmark', *arguments, '--device', 'cpu')
    assert result.code == 0, result.err
    return json.loads(result.out), result.err


def test_ways_of_decoding_beside_the_backbone(call):
    record, table = measure(call, TINY, *SHORT, '--cfg-options', *FAST[1:])
    assert [part['batch_size'] for part in record['inferring']] == [1, 8]
    for part in record['inferring']:
        assert set(part['ways']) == {'steps', 'passes', 'parallel'}
        assert 1 <= part['ways']['passes']['num_passes'] <= 5
        for way in part['ways'].values():
            assert way['over_backbone']['n'] == way['ms']['n'] == 2
            assert way['over_backbone']['median'] > 0
    assert record['input']['num_keypoints'] == [5]
    assert 'at a time: backbone' in table


def test_a_head_without_steps(call, tmp_path):
    config = tmp_path / 'parallel.py'
    head = "dict(_delete_=True, type='ProposalHead')"
    mode = "dict(mode='parallel')"
    config.write_text(
        f"_base_ = '{TINY}'\nmodel = dict(head={head}, test_cfg={mode})\n"
    )
    options = ('--batch-size', '2', '--cfg-options', *FAST[1:])
    record, _ = measure(call, config, *SHORT, *options)
    (part,) = record['inferring']
    assert part['batch_size'] == 2
    assert list(part['ways']) == ['default']


def test_mixed_precision_is_refused(call):
    result = call('benchmark', TINY, *SHORT, '--amp', '--device', 'cpu')
    assert '--mode infer measures full precision' in result.message
