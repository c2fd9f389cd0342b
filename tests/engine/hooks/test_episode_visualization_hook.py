"""Which episodes come on the sheet, and what the hook leaves on disk."""

import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmpose.registry import HOOKS
from predicted_episodes import join_batches, make_episode

from cape_mm.engine.hooks import EpisodeVisualizationHook


@pytest.fixture
def runner(tmp_path):
    return SimpleNamespace(log_dir=str(tmp_path), logger=logging.getLogger('cape_test'))


def run_test(hook, runner, categories, **kwargs):
    """One test over episodes of these categories; the drawn (index, category)."""
    hook.before_test_epoch(runner)
    for index, category_id in enumerate(categories):
        batch, outputs = make_episode(index, category_id, **kwargs)
        hook.after_test_iter(runner, index, batch, outputs)
    return [(row.episode_index, row.category_id) for row in hook._rows]


def test_sheet_is_written_and_announced(runner, tmp_path, caplog):
    assert HOOKS.get('EpisodeVisualizationHook') is EpisodeVisualizationHook
    hook = EpisodeVisualizationHook(enabled=True)
    run_test(hook, runner, [1, 2, 3])
    with caplog.at_level(logging.INFO, 'cape_test'):
        hook.after_test_epoch(runner, metrics={})
    path = tmp_path / 'contact_sheet.png'
    assert cv2.imread(str(path)).shape[1] > 3 * 256
    assert str(path) in caplog.text
    assert '3 episodes' in caplog.text


def test_sample_is_spread_over_categories(runner):
    hook = EpisodeVisualizationHook(num_episodes=4, enabled=True)
    drawn = run_test(hook, runner, [5, 5, 5, 5, 5, 2, 2, 2, 9, 9])
    # the first of 2, 5 and 9, then the second of 2
    assert drawn == [(5, 2), (0, 5), (8, 9), (6, 2)]
    assert run_test(hook, runner, [5, 5, 5, 5, 5, 2, 2, 2, 9, 9]) == drawn


def test_memory_is_bounded(runner):
    hook = EpisodeVisualizationHook(num_episodes=2, enabled=True)
    hook.before_test_epoch(runner)
    for index in range(6):
        batch, outputs = make_episode(index, category_id=6 - index)
        hook.after_test_iter(runner, index, batch, outputs)
        assert len(hook._rows) <= 2
    assert [row.category_id for row in hook._rows] == [1, 2]


def test_disabled_hook_does_nothing(runner, tmp_path):
    hook = EpisodeVisualizationHook()
    assert run_test(hook, runner, [1, 2]) == []
    hook.after_test_epoch(runner)
    assert list(tmp_path.iterdir()) == []


def test_episodes_without_images_are_passed_over(runner, tmp_path, caplog):
    hook = EpisodeVisualizationHook(enabled=True)
    batch, (sample,) = make_episode(0, 1)
    sample.set_metainfo(dict(query_slots=[]))
    hook.after_test_iter(runner, 0, batch, [sample])
    hook.after_test_epoch(runner)
    assert 'no contact sheet' in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_every_episode_of_a_batch_has_its_own_row(runner):
    hook = EpisodeVisualizationHook(enabled=True)
    run_test(hook, runner, [1, 2])
    alone = [row.image for row in hook._rows]
    hook.before_test_epoch(runner)
    batch, outputs = join_batches(make_episode(i, i + 1) for i in range(2))
    hook.after_test_iter(runner, 0, batch, outputs)
    for row, expected in zip(hook._rows, alone, strict=True):
        np.testing.assert_array_equal(row.image, expected)


def test_images_of_other_episodes_are_not_asked_for(runner):
    """They may have to be read from the disk."""

    class Unread:
        def __getitem__(self, index: int) -> None:
            raise AssertionError('asked for')

    hook = EpisodeVisualizationHook(num_episodes=1, enabled=True)
    run_test(hook, runner, [1])
    images = dict(support=Unread(), query=Unread())
    hook.after_test_iter(runner, 1, dict(inputs=images), make_episode(1, 1)[1])


def test_out_dir_wins_over_the_log_folder(runner, tmp_path):
    folder = tmp_path / 'pictures'
    hook = EpisodeVisualizationHook(out_dir=str(folder), enabled=True)
    run_test(hook, runner, [1], shots=2)
    hook.after_test_epoch(runner)
    assert [path.name for path in folder.iterdir()] == ['contact_sheet.png']


def test_at_least_one_episode():
    with pytest.raises(ValueError, match='at least 1'):
        EpisodeVisualizationHook(num_episodes=0)
