"""Resampling: every outcome of tiny cases, and the textbook's standard error."""

import json

import numpy as np
import pytest
from pair_tables import make_table, random_table

from cape_mm.evaluation import bootstrap as B


def column(*values):
    return np.array(values, float)[:, None]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_pairs_are_summed_by_episode_in_any_order():
    values = np.array([[1.0, 10], [2, 20], [3, 30], [4, 40]])
    episode, category = np.array([7, 5, 7, 6]), np.array([1, 2, 1, 1])
    for order in ([0, 1, 2, 3], [2, 3, 0, 1]):
        found = B.sum_episodes(values[order], episode[order], category[order])
        np.testing.assert_array_equal(found.sums, [[4, 40], [4, 40], [2, 20]])
        np.testing.assert_array_equal(found.counts, [1, 2, 1])
        np.testing.assert_array_equal(found.category_ids, [1, 2])
        np.testing.assert_array_equal(found.starts, [0, 2, 3])
        np.testing.assert_array_equal(found.category_sums, [[8, 80], [2, 20]])
        np.testing.assert_array_equal(found.category_counts, [3, 1])


def test_every_outcome_of_three_episodes():
    """Two of them are drawn: of 1 and 0 with two pairs, 1 with one pair."""
    episodes = B.sum_episodes(column(1, 1, 0, 0, 1), [0, 0, 1, 1, 2], [3] * 5)
    drawn = B.resample_episodes(episodes, rng(), 9000)
    outcomes, counts = np.unique(drawn.means.round(6), return_counts=True)
    np.testing.assert_allclose(outcomes, [0, 1 / 3, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(counts / 1000, [1, 2, 2, 4], atol=0.3)
    np.testing.assert_array_equal(drawn.means, drawn.macro_means)
    np.testing.assert_array_equal(drawn.means, drawn.category_means[:, 0])


def test_an_episode_is_drawn_whole():
    """Were its ten pairs drawn one by one, no mean would come near 0 or 1."""
    episodes = B.sum_episodes(
        column(*[0] * 10, *[1] * 10), [0] * 10 + [1] * 10, [1] * 20
    )
    low, high = B.interval(B.resample_episodes(episodes, rng()).means)
    assert (low[0], high[0]) == (0, 1)


def test_episodes_stay_within_their_category():
    """Categories that are constant: other episodes change nothing, other ones do."""
    values, category = column(*[0] * 5, *[1] * 5, *[0.5] * 5), np.repeat([1, 2, 3], 5)
    episodes = B.sum_episodes(values, np.arange(15), category)
    fixed = B.resample_episodes(episodes, rng()).means
    np.testing.assert_allclose(fixed, 0.5, rtol=1e-12)
    drawn = B.resample_categories(episodes, rng(), 4000)
    outcomes, counts = np.unique(drawn.means, return_counts=True)
    np.testing.assert_array_equal(outcomes, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(counts * 9 / 4000, [1, 2, 3, 2, 1], atol=0.3)


def test_large_categories_weigh_in_the_mean_only():
    """Three pairs worth 1, one worth 0, one worth 0; of these categories, two."""
    values, category = column(1, 1, 1, 0, 0), [1, 1, 1, 2, 3]
    episodes = B.sum_episodes(values, np.arange(5), category)
    drawn = B.resample_categories(episodes, rng())
    assert set(drawn.means[:, 0].round(9)) == {0, 0.75, 1}
    assert set(drawn.macro_means[:, 0].round(9)) == {0, 0.5, 1}
    fixed = B.resample_episodes(episodes, rng())
    np.testing.assert_allclose(fixed.means, 3 / 5, rtol=1e-12)
    np.testing.assert_allclose(fixed.macro_means, 1 / 3, rtol=1e-12)


def test_a_category_of_few_episodes_keeps_its_weight():
    """Two episodes worth 1 beside ten worth 0, whichever of them are drawn."""
    values, category = column(*[1] * 2, *[0] * 10), [1] * 2 + [2] * 10
    episodes = B.sum_episodes(values, np.arange(12), category)
    means = B.resample_episodes(episodes, rng()).means
    np.testing.assert_allclose(means, 1 / 6, rtol=1e-12)


@pytest.mark.parametrize('num_episodes', [2, 4])
def test_spread_is_not_too_small_where_categories_are(num_episodes):
    """Drawing n of n would give a half, or three quarters, of the variance."""
    size = (100, num_episodes)
    values, category = rng(3).normal(size=size), np.repeat(np.arange(100), num_episodes)
    episodes = B.sum_episodes(values.reshape(-1, 1), np.arange(values.size), category)
    found = B.resample_episodes(episodes, rng(), 4000).means.var()
    expected = values.var(axis=1, ddof=1).mean() / values.size
    assert found == pytest.approx(expected, rel=0.08)


def test_spread_is_the_standard_error():
    """Of a stratified mean: sqrt(sum of n_c * variance_c) / N, by the textbook."""
    values = rng(1).normal(size=(300, 2)) * [1, 5]
    category = np.repeat([1, 2, 3], 100)
    values[:100] += 40  # a difference of categories adds nothing
    episodes = B.sum_episodes(values, np.arange(300), category)
    drawn = B.resample_episodes(episodes, rng(), 4000).means
    variances = [values[category == c].var(axis=0) for c in (1, 2, 3)]
    expected = np.sqrt(np.sum(variances, axis=0) * 100) / 300
    np.testing.assert_allclose(drawn.std(axis=0), expected, rtol=0.05)
    np.testing.assert_allclose(drawn.mean(axis=0), values.mean(axis=0), atol=0.02)
    half = np.diff(B.interval(drawn), axis=0)[0] / 2
    np.testing.assert_allclose(half, 1.96 * expected, rtol=0.07)


@pytest.mark.parametrize('draw', [B.resample_episodes, B.resample_categories])
def test_a_seed_decides_all(draw, monkeypatch):
    values = rng(2).random((60, 1))
    episodes = B.sum_episodes(values, np.arange(60) // 2, np.arange(60) // 20)
    first, second = draw(episodes, rng(5), 50), draw(episodes, rng(5), 50)
    np.testing.assert_array_equal(first.means, second.means)
    assert not np.array_equal(first.means, draw(episodes, rng(6), 50).means)
    monkeypatch.setattr(B, 'MAX_DRAWN', 100)  # in parts, because memory is bounded
    assert draw(episodes, rng(5), 50).means.shape == (50, 1)


def test_interval_by_hand():
    np.testing.assert_allclose(B.interval(np.arange(101.0)), [2.5, 97.5])
    np.testing.assert_allclose(B.interval(np.arange(101.0), 0.5), [25, 75])


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match=r'\(N, V\) with N > 0, got \(0, 1\)'):
        B.sum_episodes(np.empty((0, 1)), [], [])
    with pytest.raises(ValueError, match='2 pairs, but 3 episode indices'):
        B.sum_episodes(column(1, 2), [0, 1, 2], [1, 1])
    with pytest.raises(ValueError, match='a value is NaN'):
        B.sum_episodes(column(1, np.nan), [0, 1], [1, 1])


def test_intervals_hold_the_official_values():
    table = random_table()
    found = B.confidence_intervals(table, 1000, 0)
    mean = table.official_values[:, 3].mean()
    for source in ('over_episodes', 'over_categories'):
        rows = found[source]
        low, high = rows['PCK@0.2'].values()
        assert low < mean < high
        # all categories have the same number of pairs
        assert rows['PCK_macro@0.2'] == pytest.approx(rows['PCK@0.2'], rel=1e-9)
    thresholds = [rows[f'PCK@{thr:g}'] for thr in (0.05, 0.1, 0.15, 0.2, 0.25)]
    low, high = rows['mPCK5'].values()
    assert min(row['low'] for row in thresholds) < low < high
    assert high < max(row['high'] for row in thresholds)
    assert (found['seed'], found['level']) == (0, 0.95)


def test_same_pairs_give_the_same_bytes_and_another_seed_others():
    first, second = (
        json.dumps(B.confidence_intervals(random_table(), 50, 0)) for _ in range(2)
    )
    assert first == second
    assert first != json.dumps(B.confidence_intervals(random_table(), 50, 1))


def test_nothing_to_draw_again_is_no_interval():
    """One category has no other; one episode has no other. Zero width would lie."""
    alone = make_table((0, 0, 1, [0.1]), (1, 0, 1, [0.3]))
    found = B.confidence_intervals(alone, 1000, 0)
    assert found['over_categories'] is None
    assert found['over_episodes']['PCK@0.2'] == {'low': 0, 'high': 1}
    single = make_table((0, 0, 1, [0.1]), (1, 0, 2, [0.3]))
    found = B.confidence_intervals(single, 1000, 0)
    assert found['over_episodes'] is None
    assert found['over_categories']['PCK@0.2'] == {'low': 0, 'high': 1}
    assert B.category_intervals(single, 50, 0) == {}


def test_every_category_has_its_own():
    table = random_table()
    rows = B.category_intervals(table, 1000, 0)
    assert list(rows) == [0, 1, 2, 3]
    for category_id, ends in rows.items():
        own = table.official_values[table.category_id == category_id, 3].mean()
        assert ends['low'] < own < ends['high']
