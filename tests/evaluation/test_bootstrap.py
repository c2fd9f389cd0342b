"""Resampling: every outcome of tiny cases, and the textbook's standard error."""

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
        sums, counts = found.of_categories
        np.testing.assert_array_equal(sums, [[8, 80], [2, 20]])
        np.testing.assert_array_equal(counts, [3, 1])


def test_every_outcome_of_three_episodes():
    """Two of them are drawn: of 1 and 0 with two pairs, 1 with one pair."""
    episodes = B.sum_episodes(column(1, 1, 0, 0, 1), [0, 0, 1, 1, 2], [3] * 5)
    drawn = B.resample_episodes(episodes, rng(), 9000)
    outcomes, counts = np.unique(drawn.means.round(6), return_counts=True)
    np.testing.assert_allclose(outcomes, [0, 1 / 3, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(counts / 1000, [1, 2, 2, 4], atol=0.3)
    np.testing.assert_array_equal(drawn.means, drawn.macro_means)
    np.testing.assert_array_equal(drawn.means, drawn.category_means[:, 0])


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


def test_a_category_of_few_episodes_keeps_its_weight():
    """Two episodes worth 1 beside ten worth 0, whichever of them are drawn."""
    values, category = column(*[1] * 2, *[0] * 10), [1] * 2 + [2] * 10
    episodes = B.sum_episodes(values, np.arange(12), category)
    means = B.resample_episodes(episodes, rng()).means
    np.testing.assert_allclose(means, 1 / 6, rtol=1e-12)


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


def test_intervals_hold_the_official_values():
    table = random_table()
    found, _ = B.confidence_intervals(table, 1000, 0)
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


def test_nothing_to_draw_again_is_no_interval():
    """One category has no other; one episode has no other. Zero width would lie."""
    alone = make_table((0, 0, 1, [0.1]), (1, 0, 1, [0.3]))
    found, _ = B.confidence_intervals(alone, 1000, 0)
    assert found['over_categories'] is None
    assert found['over_episodes']['PCK@0.2'] == {'low': 0, 'high': 1}
    single = make_table((0, 0, 1, [0.1]), (1, 0, 2, [0.3]))
    found, own = B.confidence_intervals(single, 1000, 0)
    assert found['over_episodes'] is None
    assert found['over_categories']['PCK@0.2'] == {'low': 0, 'high': 1}
    assert own == {}


EPISODE, CATEGORY = np.repeat(np.arange(40), 3), np.repeat(np.arange(4), 30)


def noise(seed, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, len(EPISODE))


def test_a_run_against_itself():
    found = B.compare_pairs(noise(0), noise(0), EPISODE, CATEGORY)
    for name in ('over_episodes', 'over_categories', 'macro'):
        row = found[name]
        assert (row['difference'], row['p_value']) == (0, 1)
        assert row['interval'] == dict(low=0, high=0)


def test_a_small_gain_everywhere_is_certain_though_the_spread_is_large():
    """Compared without pairing, 0.1 would drown in a standard error of 0.9."""
    values = noise(0, 10)
    better = values + 0.1 + noise(1, 0.01)
    row = B.compare_pairs(values, better, EPISODE, CATEGORY)['over_episodes']
    low, high = row['interval'].values()
    assert 0.09 < low < row['difference'] < high < 0.11
    assert row['p_value'] == pytest.approx(2 / 1001)


def test_one_category_decides_the_mean_but_not_the_macro():
    """Categories of 9 and 1 pairs: +1 in the large, -1 in the small one."""
    category = np.array([1] * 9 + [2])
    gain = np.where(category == 1, 1.0, -1.0)
    found = B.compare_pairs(np.zeros(10), gain, np.arange(10), category)
    assert found['over_episodes']['difference'] == pytest.approx(0.8)
    assert found['macro']['difference'] == 0
    assert found['over_categories']['interval'] == dict(low=-1, high=1)
    assert found['per_category'][1]['difference'] == 1
    assert found['per_category'][2]['interval'] is None  # one episode


@pytest.mark.parametrize(
    ('differences', 'expected'),
    [
        ([1] * 9, 0.2),  # 2 * (0 + 1) / 10
        ([1] * 8 + [-1], 0.4),
        ([-1] * 8 + [1], 0.4),
        ([1] * 8 + [0], 0.4),
        ([0] * 9, 1.0),
        ([1, -1], 1.0),  # 2 * (1 + 1) / 3, but a probability
    ],
)
def test_p_value_by_hand(differences, expected):
    assert B.two_sided_p_value(np.array(differences, float)) == pytest.approx(expected)
