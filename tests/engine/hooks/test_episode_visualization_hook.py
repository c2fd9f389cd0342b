"""Which episodes come on the sheet, and what the hook leaves on disk."""

import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.registry import HOOKS

from cape_mm.engine.hooks.episode_visualization_hook import (
    EpisodeVisualizationHook,
    draw_episode,
)
from cape_mm.structures import EpisodeDataSample


def make_instances(rng, num, num_keypoints=4):
    keypoints = torch.from_numpy(rng.uniform(4, 60, (num, num_keypoints, 2)))
    seen = torch.ones(num, num_keypoints, dtype=torch.bool)
    return InstanceData(
        keypoints=keypoints,
        keypoints_orig=keypoints,
        is_visible=seen,
        is_visible_orig=seen,
        bboxes=torch.tensor([[4.0, 4, 56, 56]] * num),
    )


def make_episode(index, category_id, shots=1, queries=2):
    """Inputs and outputs of one test iteration."""
    rng = np.random.default_rng(index)
    sample = EpisodeDataSample(
        metainfo={
            'episode_index': index,
            'category_id': category_id,
            'category_name': 'cat',
            'skeleton': [[0, 1], [1, 2]],
        }
    )
    sample.support_instances = make_instances(rng, shots)
    sample.gt_instances = make_instances(rng, queries)
    points = sample.gt_instances.keypoints + 2
    sample.pred_instances = InstanceData(
        keypoints=points,
        keypoints_orig=points,
        keypoint_scores=torch.full(points.shape[:2], 0.9),
    )
    images = [
        torch.full((num, 3, 64, 64), 128, dtype=torch.uint8) for num in (shots, queries)
    ]
    return {'inputs': {'support': images[:1], 'query': images[1:]}}, [sample]


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
    batch = {'inputs': {'support': [torch.zeros(0)], 'query': [torch.zeros(0)]}}
    hook.after_test_iter(runner, 0, batch, [EpisodeDataSample()])
    hook.after_test_epoch(runner)
    assert 'no contact sheet' in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_out_dir_wins_over_the_log_folder(runner, tmp_path):
    folder = tmp_path / 'pictures'
    hook = EpisodeVisualizationHook(out_dir=str(folder), enabled=True)
    run_test(hook, runner, [1], shots=2)
    hook.after_test_epoch(runner)
    assert [path.name for path in folder.iterdir()] == ['contact_sheet.png']


def test_every_shot_is_shown():
    widths = []
    for shots in (1, 5):
        batch, (sample,) = make_episode(0, 1, shots=shots)
        inputs = batch['inputs']
        row = draw_episode(inputs['support'][0], inputs['query'][0], sample, 64)
        widths.append(row.shape[1])
    assert widths[1] - widths[0] == 4 * 70


def test_inputs_and_outputs_are_not_changed():
    batch, (sample,) = make_episode(0, 1)
    support, query = batch['inputs']['support'][0], batch['inputs']['query'][0]
    before = support.clone(), query.clone(), sample.clone()
    draw_episode(support, query, sample)
    assert torch.equal(support, before[0])
    assert torch.equal(query, before[1])
    assert torch.equal(sample.gt_instances.keypoints, before[2].gt_instances.keypoints)


def test_at_least_one_episode():
    with pytest.raises(ValueError, match='at least 1'):
        EpisodeVisualizationHook(num_episodes=0)
