"""The statistics that go into metrics.json."""

import json

import numpy as np
import pytest
from pair_tables import make_table, random_table

from cape_mm.evaluation.pair_statistics import category_statistics, pair_statistics


def test_intervals_hold_the_official_values():
    table = random_table()
    statistics = pair_statistics(table)
    mean = table.official_values[:, 3].mean()
    for source in ('over_episodes', 'over_categories'):
        rows = statistics['confidence_intervals'][source]
        low, high = rows['PCK@0.2'].values()
        assert low < mean < high
        # all categories have the same number of pairs
        assert rows['PCK_macro@0.2'] == pytest.approx(rows['PCK@0.2'], rel=1e-9)
    thresholds = [rows[f'PCK@{thr:g}'] for thr in (0.05, 0.1, 0.15, 0.2, 0.25)]
    low, high = rows['mPCK5'].values()
    assert min(row['low'] for row in thresholds) < low < high
    assert high < max(row['high'] for row in thresholds)
    settings = {k: statistics['confidence_intervals'][k] for k in ('seed', 'level')}
    assert settings == {'seed': 0, 'level': 0.95}


def test_same_pairs_give_the_same_bytes_and_another_seed_others():
    first, second = (json.dumps(pair_statistics(random_table())) for _ in range(2))
    assert first == second
    assert first != json.dumps(pair_statistics(random_table(), seed=1))


def test_nothing_to_draw_again_is_no_interval():
    """One category has no other; one episode has no other. Zero width would lie."""
    alone = make_table((0, 0, 1, [0.1]), (1, 0, 1, [0.3]))
    found = pair_statistics(alone)['confidence_intervals']
    assert found['over_categories'] is None
    assert found['over_episodes']['PCK@0.2'] == {'low': 0, 'high': 1}
    single = make_table((0, 0, 1, [0.1]), (1, 0, 2, [0.3]))
    found = pair_statistics(single)['confidence_intervals']
    assert found['over_episodes'] is None
    assert found['over_categories']['PCK@0.2'] == {'low': 0, 'high': 1}
    assert 'PCK@0.2_interval' not in category_statistics(single)[1]


def test_no_resamples_no_intervals():
    statistics = pair_statistics(random_table(), num_resamples=0)
    assert 'confidence_intervals' not in statistics
    assert statistics.keys() >= {'pck_curve', 'PCK_macro@0.2'}
    rows = category_statistics(random_table(), num_resamples=0)
    assert all(row.keys() == {'per_keypoint'} for row in rows.values())


def test_rows_of_categories():
    table = random_table()
    rows = category_statistics(table)
    assert list(rows) == [0, 1, 2, 3]
    for category_id, row in rows.items():
        own = table.official_values[table.category_id == category_id, 3].mean()
        low, high = row['PCK@0.2_interval'].values()
        assert low < own < high
        assert len(row['per_keypoint']['PCK@0.2']) == 4
        weights = np.array(row['per_keypoint']['num_scored']) / 60
        assert np.dot(weights, row['per_keypoint']['PCK@0.2']) == pytest.approx(own)


def test_tables_that_the_data_cannot_fill_are_left_out():
    assert not pair_statistics(random_table()).keys() & {
        'per_supercategory',
        'by_visibility',
    }
