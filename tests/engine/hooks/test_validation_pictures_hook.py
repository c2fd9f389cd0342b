"""The same episodes at every validation, in the backends, at a bounded cost."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.runner import EpochBasedTrainLoop
from mmpose.registry import HOOKS
from mmpose.visualization import PoseLocalVisualizer
from predicted_episodes import join_batches, make_episode
from tool_calls import FAST, TINY

from cape_mm.apis import parse_cfg_options, train
from cape_mm.engine.hooks import ValidationPicturesHook, validation_pictures_hook
from cape_mm.engine.hooks.validation_pictures_hook import choose_indices
from cape_mm.errors import ConfigError
from cape_mm.structures import Episode
from cape_mm.visualization import EpisodeVisualizer

CATEGORIES = [5, 5, 5, 5, 2, 2, 2, 9, 9]
ALL = range(len(CATEGORIES))
SAMPLER = SimpleNamespace(
    episodes=[Episode(c, (1,), (2,), i, i) for i, c in enumerate(CATEGORIES)]
)


class MemoryVisualizer(EpisodeVisualizer):
    """Keeps what it is given, and counts what it draws."""

    def __init__(self, name: str = 'memory') -> None:
        super().__init__(name, panel_size=64)
        self.stored: dict[tuple[str, int], np.ndarray] = {}
        self.num_drawn = 0

    def draw_episode(self, *args, **kwargs) -> np.ndarray:
        self.num_drawn += 1
        return super().draw_episode(*args, **kwargs)

    def add_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
        self.stored[name, step] = image


@pytest.fixture
def runner():
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    loop._epoch, loop._max_epochs = 0, 9
    return SimpleNamespace(
        visualizer=MemoryVisualizer(),
        logger=logging.getLogger('cape_test'),
        val_dataloader=SimpleNamespace(sampler=SAMPLER),
        val_loop=object(),
        _train_loop=loop,
    )


def validate(hook, runner, order=ALL, missing=()) -> None:
    """A validation after one more epoch."""
    runner._train_loop._epoch += 1
    hook.before_val_epoch(runner)
    for place, index in enumerate(order):
        batch, outputs = make_episode(index, CATEGORIES[index])
        if index in missing:
            outputs[0].set_metainfo(dict(query_slots=[]))
        hook.after_val_iter(runner, place, batch, outputs)
    hook.after_val_epoch(runner, metrics={})


def test_same_episodes_at_every_validation(runner):
    hook = ValidationPicturesHook(num_episodes=4, enabled=True)
    hook.before_train(runner)
    validate(hook, runner)
    validate(hook, runner, order=reversed(ALL))
    names = sorted({name for name, _ in runner.visualizer.stored})
    assert len(names) == 4
    assert sorted(runner.visualizer.stored) == [(n, s) for n in names for s in (1, 2)]
    for name in names:
        first, second = (runner.visualizer.stored[name, step] for step in (1, 2))
        np.testing.assert_array_equal(first, second)
    assert runner.visualizer.num_drawn == 8


def test_choice_takes_categories_by_turns():
    chosen = {n: choose_indices(SAMPLER, n) for n in (1, 3, 4, 100)}
    assert sorted(CATEGORIES[i] for i in chosen[3]) == [2, 5, 9]
    assert chosen[1] < chosen[3] < chosen[4]
    assert chosen[100] == set(ALL)


def test_unloadable_episode_is_left_out(runner):
    hook = ValidationPicturesHook(num_episodes=4, enabled=True)
    chosen = choose_indices(SAMPLER, 4)
    missing = min(chosen)
    validate(hook, runner, missing=[missing])
    names = {name for name, _ in runner.visualizer.stored}
    assert names == {f'val_episode_{i:04d}' for i in chosen - {missing}}


def test_every_episode_of_a_batch_has_its_own_picture(runner):
    hook = ValidationPicturesHook(num_episodes=9, enabled=True)
    validate(hook, runner, order=[3, 4])
    hook.before_val_epoch(runner)
    batch, outputs = join_batches(make_episode(i, CATEGORIES[i]) for i in (3, 4))
    hook.after_val_iter(runner, 0, batch, outputs)
    runner._train_loop._epoch = 2
    hook.after_val_epoch(runner)
    stored = runner.visualizer.stored
    for name in ('val_episode_0003', 'val_episode_0004'):
        np.testing.assert_array_equal(stored[name, 1], stored[name, 2])
    assert (stored['val_episode_0003', 1] != stored['val_episode_0004', 1]).any()


def test_off_means_off(runner):
    runner.visualizer = runner.val_dataloader = None
    hook = ValidationPicturesHook()
    hook.before_train(runner)
    validate(hook, runner)


def test_other_processes_send_theirs(runner, monkeypatch):
    """Rank 1 drew other episodes; what the main process writes is the union."""
    hook = ValidationPicturesHook(num_episodes=9, enabled=True)
    other = {8: np.zeros((2, 2, 3), np.uint8)}
    monkeypatch.setattr(
        validation_pictures_hook, 'all_gather_object', lambda own: [own, other]
    )
    validate(hook, runner, order=[0, 1])
    names = {name for name, _ in runner.visualizer.stored}
    assert names == {f'val_episode_{i:04d}' for i in (0, 1, 8)}


def test_full_disk_is_a_warning(runner, monkeypatch, caplog):
    def fail(*args) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(MemoryVisualizer, 'add_image', fail)
    validate(ValidationPicturesHook(enabled=True), runner)
    assert caplog.text.count('No space left on device') == 1


@pytest.mark.parametrize(
    ('part', 'value', 'message'),
    [
        ('visualizer', PoseLocalVisualizer('plain'), "dict.type='EpisodeVisualizer'"),
        ('val_dataloader', SimpleNamespace(sampler=[1]), 'by list'),
    ],
)
@pytest.mark.parametrize('stage', ['before_train', 'before_val_epoch'])
def test_what_can_not_work_is_refused_at_once(runner, part, value, message, stage):
    setattr(runner, part, value)
    with pytest.raises(ConfigError, match=message):
        getattr(ValidationPicturesHook(enabled=True), stage)(runner)
    with pytest.raises(ConfigError, match='at least 1'):
        ValidationPicturesHook(num_episodes=0)


@pytest.mark.parametrize('loop', ['EpisodeValLoop', 'ValLoop'])
def test_in_a_training(synthetic_root, tmp_path, loop):
    """The default config, switched on by one option; both ways to validate."""
    assert HOOKS.get('ValidationPicturesHook') is ValidationPicturesHook
    MMLogger._instance_dict.clear()
    EpisodeVisualizer._instance_dict.clear()
    options = parse_cfg_options(FAST[1:]) | dict(data_root=str(synthetic_root))
    options['default_hooks.validation_pictures.enabled'] = True
    options['default_hooks.validation_pictures.num_episodes'] = 1
    options['val_cfg'] = dict(type=loop)
    work_dir: Path = train(TINY, tmp_path / 'w', cfg_options=options)
    paths = sorted(work_dir.glob('*/vis_data/vis_image/*.png'))
    names = [path.name for path in paths]
    assert len(names) == 2
    assert [name.split('_')[-1] for name in names] == ['1.png', '2.png']
    assert names[0][:-6] == names[1][:-6]
    one, two = (cv2.imread(str(path)) for path in paths)
    left = one.shape[1] // 3 * 2
    np.testing.assert_array_equal(one[34:, : left - 6], two[34:, : left - 6])
    assert (one[:, left:] != two[:, left:]).any()
