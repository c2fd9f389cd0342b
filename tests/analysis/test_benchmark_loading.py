"""The data loader beside the plain loop, from the command line."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from tool_calls import ToolCaller

from cape_mm.analysis.benchmark import made_pictures
from cape_mm.analysis.benchmark.loading import pair_up
from cape_mm.analysis.benchmark.made_pictures import PlainCrops, write_pictures
from cape_mm.datasets import MP100EpisodeDataset
from cape_mm.datasets.transforms import (
    InstanceCrop,
    LoadInstanceImage,
    PackInstance,
    WarpInstance,
)

CONFIG = 'configs/cape_mp100.py'
SMALL = ('--num-pictures', '6', '--num-workers', '0', '--pairs', '2')


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs the tool in this process."""
    monkeypatch.setattr(made_pictures, 'NUM_INDEXED', 200)
    return ToolCaller(monkeypatch, capfd)


def test_every_picture_is_shown_once():
    episodes = pair_up(6)
    assert [e.support_ids + e.query_ids for e in episodes] == [(0, 1), (2, 3), (4, 5)]


def test_both_sides_crop_the_same(tmp_path):
    """The plain crop is the loader's, without augmentation and reduction."""
    paths = write_pictures(tmp_path, 2, seed=0)
    pipeline = [
        *(InstanceCrop(), LoadInstanceImage(), WarpInstance((64, 64))),
        PackInstance(hide_outside=True),
    ]
    dataset = MP100EpisodeDataset(
        'pictures.json', data_root=str(tmp_path), pipeline=pipeline
    )
    inputs = dataset[pair_up(2)[0]]['inputs']
    crops = PlainCrops(paths, 64)
    for side, index in (('support', 0), ('query', 1)):
        ours = inputs[side][0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(ours, crops[index])


def test_pictures_are_large_and_of_a_photographs_size(tmp_path):
    (path,) = write_pictures(tmp_path, 1, seed=3)
    assert cv2.imread(str(path)).shape == (1000, 1000, 3)
    assert 0.7e6 < 8 * path.stat().st_size < 1.8e6  # bits of a million pixels


def test_record_and_table(call, tmp_path):
    out = tmp_path / 'load.json'
    result = call('benchmark', CONFIG, '--mode', 'load', *SMALL, '--out', out)
    assert result.code == 0, result.err
    record = json.loads(out.read_text())
    assert sum(record['reductions'].values()) == record['num_pictures'] == 6
    assert set(record['reductions']) <= {'2', '4'}
    plain, ours = record['plain_ms'], record['ours_ms']
    assert plain['n'] == ours['n'] == 2
    pairs = record['plain_over_ours']['pairs']
    assert min(pairs) <= plain['median'] / ours['median'] <= max(pairs)
    assert record['index_s'] > 0
    assert 'plain over ours: ' in result.err


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('--loader',), '--loader makes no sense with --mode load'),
        (('--num-pictures', '7'), '--num-pictures must be even, got 7'),
        (('--num-pictures', '2'), '--num-pictures must be at least 6'),
        (('--num-workers', '-1'), '--num-workers must be at least 0'),
        (('--cfg-options', 'train_dataloader=None'), 'no train_dataloader'),
    ],
)
def test_what_can_not_be_measured(call, arguments, message):
    result = call('benchmark', CONFIG, '--mode', 'load', *arguments)
    assert message in result.message
