"""The visualizer: built by a runner, episodes to backends, MMPose's samples as ever."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer
from mmpose.registry import VISUALIZERS
from mmpose.structures import PoseDataSample
from mmpose.visualization import PoseLocalVisualizer
from predicted_episodes import make_episode

from cape_mm.visualization import EpisodeVisualizer, draw_episode


@pytest.fixture
def visualizer(tmp_path) -> EpisodeVisualizer:
    config = dict(
        type='EpisodeVisualizer',
        vis_backends=[dict(type='LocalVisBackend')],
        name=str(tmp_path),
        save_dir=str(tmp_path),
    )
    return VISUALIZERS.build(config)


def images_and_sample(**kwargs):
    batch, (sample,) = make_episode(0, 1, **kwargs)
    return {side: stacks[0] for side, stacks in batch['inputs'].items()}, sample


def test_a_runner_builds_it(toy_visualizer_runner, tmp_path):
    visualizer = toy_visualizer_runner.visualizer
    assert isinstance(visualizer, EpisodeVisualizer)
    assert isinstance(visualizer, PoseLocalVisualizer)
    assert Visualizer.get_current_instance() is visualizer
    visualizer.add_datasample('here', *images_and_sample(), step=2)
    folder = tmp_path / 'run' / toy_visualizer_runner.timestamp / 'vis_data/vis_image'
    assert [path.name for path in folder.iterdir()] == ['here_2.png']


@pytest.fixture
def toy_visualizer_runner(tmp_path):
    from toy_runner import build_toy_runner

    backends = [dict(type='LocalVisBackend')]
    return build_toy_runner(
        tmp_path / 'run',
        [],
        visualizer=dict(
            type='EpisodeVisualizer', vis_backends=backends, name=str(tmp_path / 'run')
        ),
    )


def test_episode_reaches_the_backend_in_its_colours(visualizer, tmp_path):
    images, sample = images_and_sample()
    drawn = visualizer.add_datasample('episode', images, sample, step=7)
    expected = draw_episode(images['support'], images['query'], sample)
    np.testing.assert_array_equal(drawn[..., ::-1], expected)
    stored = cv2.imread(str(tmp_path / 'vis_data/vis_image/episode_7.png'))
    np.testing.assert_array_equal(stored, expected)
    np.testing.assert_array_equal(visualizer.get_image(), drawn)


def test_out_file_wins_over_the_backends(visualizer, tmp_path):
    path = tmp_path / 'new folder/été.png'
    drawn = visualizer.add_datasample('x', *images_and_sample(), out_file=str(path))
    stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(stored[..., ::-1], drawn)
    assert not (tmp_path / 'vis_data/vis_image').exists()


def test_show_opens_a_window(visualizer, monkeypatch):
    shown = []
    monkeypatch.setattr(
        EpisodeVisualizer, 'show', lambda self, image, **options: shown.append(options)
    )
    visualizer.add_datasample('x', *images_and_sample(), show=True, wait_time=3)
    assert shown == [dict(win_name='x', wait_time=3)]


def test_options_reach_the_drawing(visualizer):
    images, sample = images_and_sample(queries=3)
    for options in (dict(index=2), dict(draw_gt=False), dict(draw_pred=False)):
        drawn = visualizer.add_datasample('x', images, sample, **options)
        expected = draw_episode(images['support'], images['query'], sample, **options)
        np.testing.assert_array_equal(drawn[..., ::-1], expected)


def test_samples_of_mmpose_are_drawn_by_mmpose(visualizer, tmp_path):
    points = np.array([[[10.0, 10], [40, 20], [30, 50]]])
    sample = PoseDataSample()
    sample.gt_instances = InstanceData(keypoints=points)
    sample.pred_instances = InstanceData(
        keypoints=torch.from_numpy(points + 3).numpy(), keypoint_scores=np.ones((1, 3))
    )
    image = np.full((64, 64, 3), 128, np.uint8)
    stock = PoseLocalVisualizer('stock')
    options = dict(draw_bbox=True, kpt_thr=0.2, draw_gt=False)
    ours, theirs = (
        one.add_datasample('picture', image, sample, step=1, **options)
        for one in (visualizer, stock)
    )
    np.testing.assert_array_equal(ours, theirs)
    assert (ours != 128).any()
    assert (tmp_path / 'vis_data/vis_image/picture_1.png').is_file()
