"""A skipped update's batches are run again: same episodes, augmentation and chance."""

from __future__ import annotations

import json
import math
import shutil

import pytest
import torch
from tool_calls import FAST, TINY, ToolCaller

from cape_mm.apis import parse_cfg_options, train
from cape_mm.apis.replay import describe_replays, replay
from cape_mm.errors import ConfigError, MissingDataError
from cape_mm.models import CAPE


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs a tool in this process."""
    return ToolCaller(monkeypatch, capfd)


class Watched:
    """Stands in for the model's loss and notes the whole input of every call."""

    def __init__(self, bad_call=None):
        self.bad_call, self.calls, self.real = bad_call, [], CAPE.loss

    def __get__(self, model, owner=None):
        return lambda inputs, samples: self.compute(model, inputs, samples)

    def compute(self, model, inputs, samples):
        losses = self.real(model, inputs, samples)
        images = [inputs.support_images.clone(), inputs.query_images.clone()]
        values = {name: float(value.detach()) for name, value in losses.items()}
        self.calls.append((images, values))
        if len(self.calls) == self.bad_call:
            losses = {name: value * math.nan for name, value in losses.items()}
        return losses


def typed(root):
    """Command-line options."""
    return (*FAST, 'optim_wrapper.accumulative_counts=2', f'data_root={root}')


def options_of(root):
    """The same, parsed."""
    return parse_cfg_options(typed(root)[1:])


@pytest.fixture(scope='module')
def bad_step(synthetic_root, tmp_path_factory):
    """A training of 2 x 3 iterations whose fifth loss is NaN, and its record.

    Every third image does not decode, so some instances are redrawn. A worker loads, as
    in every real training.
    """
    folder = tmp_path_factory.mktemp('bad_step')
    root = shutil.copytree(synthetic_root, folder / 'data')
    for image in sorted((root / 'images').rglob('*.jpg'))[::3]:
        image.write_bytes(b'no picture')
    watched = Watched(bad_call=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CAPE, 'loss', watched)
        worker = {'train_dataloader.num_workers': 1}
        train(TINY, folder / 'w', cfg_options=options_of(root) | worker)
    path = folder / 'w/bad_steps/iter_0000005.json'
    log = next((folder / 'w').rglob('*.log')).read_text()
    assert 'redrawn within its category' in log
    assert f'tools/replay_episode.py {path}' in log
    return path, root, watched


def test_batch_and_loss_are_the_same_to_the_last_bit(bad_step, monkeypatch):
    path, root, before = bad_step
    again = Watched()
    monkeypatch.setattr(CAPE, 'loss', again)
    results = replay(path, TINY, None, options_of(root))
    # the second epoch's windows are iterations 4, 5 and 6
    assert [result.record.iteration for result in results] == [4, 5]
    for (old_images, old), (images, new) in zip(before.calls[3:5], again.calls):
        assert all(map(torch.equal, old_images, images))
        assert old == new
    assert all(result.reloaded and not result.is_bad() for result in results)
    assert [result.record.problem for result in results] == ['', 'bad loss']


def test_report_shows_every_part_and_the_tool_fails(bad_step, monkeypatch, call):
    path, root, _ = bad_step
    monkeypatch.setattr(CAPE, 'loss', Watched(bad_call=2))
    replayed = call('replay_episode', path, TINY, *typed(root))
    assert replayed.code == 1, replayed.err
    for batch in json.loads(path.read_text())['batches']:
        for entry in batch['episodes']:
            assert f'annotations {entry["loaded_ids"]}' in replayed.out
            assert all(name in replayed.out for name in entry['files'])
    first, second = replayed.out.split('\n\n')[-2:]
    assert 'not finite' not in first
    assert all(name in first for name in ('loss_proposal', 'gradient norm'))
    assert 'loss then nan, bad loss then' in second
    assert second.count('<- not finite') >= 3
    assert 'bad gradients: ' in second


def test_tool_succeeds_where_all_is_finite(bad_step, call):
    path, root, _ = bad_step
    assert call('replay_episode', path, TINY, *typed(root)).code == 0


def test_other_data_are_noticed(bad_step, synthetic_root):
    path, _, _ = bad_step
    results = replay(path, TINY, None, options_of(synthetic_root))  # all images whole
    drawn = [[record.episode for record in r.record.episodes] for r in results]
    loaded = [[record.loaded_ids for record in r.record.episodes] for r in results]
    was_redrawn = [
        any(ids != e.support_ids + e.query_ids for e, ids in zip(*pair))
        for pair in zip(drawn, loaded)
    ]
    assert [not result.reloaded for result in results] == was_redrawn
    assert any(was_redrawn)
    assert 'other instances were loaded than then' in describe_replays(results)


def test_record_of_other_data_is_refused(bad_step, tmp_path):
    path, root, _ = bad_step
    content = json.loads(path.read_text())
    content['batches'][0]['episodes'][0]['episode']['query_ids'] = [10**9]
    other = tmp_path / 'other.json'
    other.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match='does not belong to the data .*1000000000'):
        replay(other, TINY, None, options_of(root))
    with pytest.raises(MissingDataError):
        replay(path, TINY, None, dict(data_root=str(tmp_path / 'nowhere')))
