"""``tools/test.py --resume``, and the loops of the shipped configs."""

from __future__ import annotations

import pytest
import torch
from config_models import build_model, find_configs, read_config
from mmengine.config import Config
from tool_calls import FAST, REPO, TINY, ToolCaller

from cape_mm.apis import load_config
from cape_mm.apis.testing_options import set_test_resume
from cape_mm.engine.loops.episode_loop import EpisodeLoopMixin
from cape_mm.errors import ConfigError


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs a tool in this process."""
    return ToolCaller(monkeypatch, capfd)


def test_resume_from_the_command_line(call, synthetic_root, tmp_path, monkeypatch):
    options = load_config(TINY)
    checkpoint = tmp_path / 'weights.pth'
    cfg = read_config('cape_tiny')
    pairs = [option.split('=', 1) for option in FAST[1:] if 'model' in option]
    cfg.merge_from_dict({key: _value(value) for key, value in pairs})
    torch.save(build_model(cfg).state_dict(), checkpoint)
    arguments = (TINY, checkpoint, '--work-dir', tmp_path / 'w')
    more = (*FAST, f'data_root={synthetic_root}')

    emit = EpisodeLoopMixin._emit

    def stop_in_the_second(self, number, output):
        if number == 1:
            raise KeyboardInterrupt
        emit(self, number, output)

    with monkeypatch.context() as patch:
        patch.setattr(EpisodeLoopMixin, '_emit', stop_in_the_second)
        assert call('test', *arguments, *more).code == 130
    result = call('test', *arguments, '--resume', *more)
    assert result.code == 0, result.err
    assert 'going on from the finished categories' in result.out + result.err
    resumed = (tmp_path / 'w/metrics.json').read_text()
    assert call('test', *arguments, *more).code == 0
    assert (tmp_path / 'w/metrics.json').read_text() == resumed
    assert options.test_cfg.type == 'EpisodeTestLoop'


def _value(text):
    return text if text[0].isalpha() else eval(text)


def test_resume_needs_a_loop_that_keeps_categories():
    for test_cfg in (dict(), dict(type='TestLoop')):
        with pytest.raises(
            ConfigError, match="--resume needs test_cfg=dict.*'TestLoop'"
        ):
            set_test_resume(Config(dict(test_cfg=test_cfg)))
    cfg = Config(dict(test_cfg=dict(type='EpisodeTestLoop')))
    set_test_resume(cfg)
    assert cfg.test_cfg.resume is True


def test_arguments_of_a_loop_are_checked(call, synthetic_root):
    options = (*FAST, f'data_root={synthetic_root}', 'test_cfg.pair_bach=8')
    message = call('test', TINY, 'none.pth', *options).message
    assert "test_cfg: EpisodeTestLoop has no argument 'pair_bach'" in message
    assert "did you mean 'pair_batch'" in message


@pytest.mark.parametrize('name', find_configs())
def test_every_config_has_the_loops(name):
    cfg = load_config(REPO / 'configs' / f'{name}.py')
    assert cfg.val_cfg.type == 'EpisodeValLoop'
    assert cfg.test_cfg.type == 'EpisodeTestLoop'
