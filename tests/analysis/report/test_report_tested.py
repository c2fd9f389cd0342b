"""What --report refuses before a long test."""

from __future__ import annotations

import pytest

from cape_mm.apis import runner as api
from cape_mm.errors import ConfigError


@pytest.fixture
def checkpoint(toy_config, tmp_path):
    api.train(toy_config, tmp_path / 'w', cfg_options={'train_cfg.max_epochs': 1})
    return tmp_path / 'w' / 'epoch_1.pth'


def test_another_metric(toy_config, checkpoint, tmp_path):
    with pytest.raises(ConfigError, match='EpisodePCK.*has RunToyMetric$'):
        api.test(toy_config, checkpoint, tmp_path / 't', report=tmp_path / 'r')
    assert not list(tmp_path.glob('t/metrics.json'))


def test_a_folder_that_can_not_be_one(toy_config, checkpoint, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='^--report .*file/r: no file can be writ'):
        api.test(toy_config, checkpoint, tmp_path / 't', report=tmp_path / 'file/r')
