"""The metric's own statistics: what it adds to the official values, and what not."""

import pytest
import torch
from episode_samples import random_sample

from cape_mm.evaluation import EpisodePCK, format_table

ADDED = {'confidence_intervals', 'pck_curve', 'PCK_macro@0.2', 'mPCK5_macro'}


def samples(num=8, **meta):
    return [random_sample(index, **meta) for index in range(num)]


def evaluate(episodes, **options):
    metric = EpisodePCK(**options)
    metric.process(None, episodes)
    return metric.evaluate(1), metric


def test_statistics_are_in_the_metrics():
    metrics, metric = evaluate(samples())
    assert metrics.keys() >= ADDED
    low, high = metrics['confidence_intervals']['over_episodes']['PCK@0.2'].values()
    assert low < metrics['PCK@0.2'] < high
    assert metrics['pck_curve']['PCK'][20] == pytest.approx(metrics['PCK@0.2'])
    floor = metrics['pck_curve']['copy_support/PCK'][20]
    assert floor == pytest.approx(metrics['copy_support/PCK@0.2'])
    for row in metrics['per_category'].values():
        low, high = row['PCK@0.2_interval'].values()
        assert low <= row['PCK@0.2'] <= high
        assert len(row['per_keypoint']['PCK@0.2']) == 5
    assert len(metric.pairs) == metrics['num_pairs'] == 24


def test_visibility_and_supercategory_where_the_data_tell():
    plain, _ = evaluate(samples())
    assert not plain.keys() & {'by_visibility', 'per_supercategory'}
    episodes = samples(supercategory='animal')
    for sample in episodes:
        is_visible = sample.gt_instances.is_visible_orig
        sample.gt_instances.visibility = is_visible.to(torch.uint8) * 2
    metrics, _ = evaluate(episodes)
    assert list(metrics['by_visibility']) == ['v=2']
    assert metrics['per_supercategory']['animal']['num_categories'] == 2
    assert metrics['per_supercategory']['animal']['PCK@0.2'] == plain['PCK@0.2']


def test_table_shows_the_intervals():
    metrics, _ = evaluate(samples())
    table = format_table(metrics)
    found = metrics['confidence_intervals']
    episodes, categories = (
        f'{100 * rows["PCK@0.2"]["low"]:.1f} to {100 * rows["PCK@0.2"]["high"]:.1f}'
        for rows in (found['over_episodes'], found['over_categories'])
    )
    assert episodes != categories
    (line,) = [x for x in table.splitlines() if x.startswith('mean over pairs')]
    assert ' '.join(line.split()).endswith(f'{episodes} {categories}')
    assert f' {100 * metrics["PCK@0.2"]:.1f} ' in line
    metrics, _ = evaluate(samples(1))
    (line,) = [
        x for x in format_table(metrics).splitlines() if x.startswith('mean over pairs')
    ]
    assert line.split()[-2:] == ['-', '-']
