"""The same episodes at every validation and on the sheet of a test."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.runner import EpochBasedTrainLoop
from mmpose.visualization import PoseLocalVisualizer
from predicted_episodes import make_episode
from tool_calls import FAST, TINY

from cape_mm.apis import parse_cfg_options, train
from cape_mm.engine.hooks import EpisodePicturesHook, episode_pictures_hook
from cape_mm.engine.hooks.episode_pictures_hook import choose_indices
from cape_mm.errors import ConfigError
from cape_mm.structures import Episode

CATEGORIES = [5, 5, 5, 5, 2, 2, 2, 9, 9]
ALL = range(len(CATEGORIES))
SAMPLER = SimpleNamespace(
    episodes=[Episode(c, (1,), (2,), i, i) for i, c in enumerate(CATEGORIES)]
)


class MemoryVisualizer:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, int], np.ndarray] = {}

    def add_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
        self.stored[name, step] = image


@pytest.fixture
def runner(tmp_path):
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    loop._epoch, loop._max_epochs = 0, 9
    data = SimpleNamespace(sampler=SAMPLER)
    return SimpleNamespace(
        visualizer=MemoryVisualizer(),
        logger=logging.getLogger('cape_test'),
        log_dir=str(tmp_path),
        val_dataloader=data,
        test_dataloader=data,
        val_loop=object(),
        _train_loop=loop,
    )


def make_hook(**options) -> EpisodePicturesHook:
    return EpisodePicturesHook(enabled=True, panel_size=64, **options)


def evaluate(hook, runner, order=ALL, missing=(), stage='val') -> None:
    """A validation after one more epoch, or a test."""
    runner._train_loop._epoch += 1
    getattr(hook, f'before_{stage}_epoch')(runner)
    for place, index in enumerate(order):
        batch, outputs = make_episode(index, CATEGORIES[index])
        if index in missing:
            outputs[0].set_metainfo(dict(query_slots=[]))
        call = getattr(hook, f'after_{stage}_iter')
        call(runner, batch_idx=place, data_batch=batch, outputs=outputs)
        assert len(hook._drawn) <= hook.num_episodes
    getattr(hook, f'after_{stage}_epoch')(runner, metrics={})


def names_of(indices) -> set[str]:
    return {f'val_episode_{i:04d}' for i in indices}


def test_choice_takes_categories_by_turns():
    assert choose_indices(SAMPLER, 4) == [4, 0, 7, 5]  # of 2, 5, 9, and 2 again
    assert sorted(choose_indices(SAMPLER, 100)) == list(ALL)


def test_same_episodes_at_every_validation(runner):
    hook = make_hook(num_episodes=4)
    hook.before_train(runner)
    evaluate(hook, runner)
    evaluate(hook, runner, order=reversed(ALL))
    stored, names = runner.visualizer.stored, names_of([4, 0, 7, 5])
    assert stored.keys() == {(name, step) for name in names for step in (1, 2)}
    for name in names:
        np.testing.assert_array_equal(stored[name, 1], stored[name, 2])


def test_other_processes_send_theirs(runner, monkeypatch):
    """Rank 1 drew other episodes; what the main process writes is the union."""
    other = {8: np.zeros((2, 2, 3), np.uint8)}
    monkeypatch.setattr(
        episode_pictures_hook, 'all_gather_object', lambda own: [own, other]
    )
    evaluate(make_hook(num_episodes=9), runner, order=[0, 1])
    assert {name for name, _ in runner.visualizer.stored} == names_of([0, 1, 8])


@pytest.mark.parametrize('stage', ['val', 'test'])
def test_off_means_off(runner, tmp_path, stage):
    runner.visualizer = None
    hook = EpisodePicturesHook()
    hook.before_train(runner)
    evaluate(hook, runner, stage=stage)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('stage', ['before_train', 'before_val_epoch'])
def test_a_list_of_episodes_is_needed(runner, stage):
    runner.val_dataloader = SimpleNamespace(sampler=[1])
    with pytest.raises(ConfigError, match='draws them by list'):
        getattr(make_hook(), stage)(runner)
    with pytest.raises(ConfigError, match='at least 1'):
        EpisodePicturesHook(num_episodes=0)


def test_sheet_is_written_and_announced(runner, tmp_path, caplog):
    folder = tmp_path / 'pictures'
    for hook, path in ((make_hook(), tmp_path), (make_hook(out_dir=folder), folder)):
        with caplog.at_level(logging.INFO, 'cape_test'):
            evaluate(hook, runner, stage='test')
        sheet = path / 'contact_sheet.png'
        assert cv2.imread(str(sheet)).shape[1] > 3 * 64
        assert f'contact sheet of 8 episodes: {sheet}' in caplog.text
    assert not runner.visualizer.stored


def test_full_disk_ends_nothing(runner, monkeypatch, caplog):
    def fail(*args, **kwargs) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(MemoryVisualizer, 'add_image', fail)
    monkeypatch.setattr(episode_pictures_hook, 'write_bytes_atomically', fail)
    evaluate(make_hook(), runner)
    assert caplog.text.count('No space left on device') == 1
    hook = make_hook()
    evaluate(hook, runner, stage='test')
    assert hook.failure.errno == 28


@pytest.mark.parametrize('loop', ['EpisodeValLoop', 'ValLoop'])
def test_in_a_training(synthetic_root, tmp_path, loop):
    """The default config, switched on by one option; both ways to validate."""
    MMLogger._instance_dict.clear()
    PoseLocalVisualizer._instance_dict.clear()
    options = parse_cfg_options(FAST[1:]) | dict(data_root=str(synthetic_root))
    options['default_hooks.pictures.enabled'] = True
    options['default_hooks.pictures.num_episodes'] = 1
    options['val_cfg'] = dict(type=loop)
    work_dir: Path = train(TINY, tmp_path / 'w', cfg_options=options)
    paths = sorted(work_dir.glob('*/vis_data/vis_image/*.png'))
    names = [path.name for path in paths]
    assert [name.split('_')[-1] for name in names] == ['1.png', '2.png']
    assert names[0][:-6] == names[1][:-6]
    one, two = (cv2.imread(str(path)) for path in paths)
    left = one.shape[1] // 3 * 2
    np.testing.assert_array_equal(one[34:, : left - 6], two[34:, : left - 6])
    assert (one[:, left:] != two[:, left:]).any()
