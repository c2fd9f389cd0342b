"""Paired differences: certain ones, none, and one that only pairing can see."""

import numpy as np
import pytest

from cape_mm.evaluation.comparison import compare_pairs, two_sided_p_value

EPISODE = np.repeat(np.arange(40), 3)
CATEGORY = np.repeat(np.arange(4), 30)


def noise(seed, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, len(EPISODE))


def test_a_run_against_itself():
    values = noise(0)
    found = compare_pairs(values, values, EPISODE, CATEGORY)
    for row in (found.over_episodes, found.over_categories, found.macro):
        assert (row.difference, row.interval, row.p_value) == (0, (0, 0), 1)
    assert found.count_categories() == {'A': 0, 'B': 0, 'equal': 4}
    assert found.num_pairs == 120


def test_a_small_gain_everywhere_is_certain_though_the_spread_is_large():
    """Compared without pairing, 0.1 would drown in a standard error of 0.9."""
    values = noise(0, 10)
    found = compare_pairs(values, values + 0.1 + noise(1, 0.01), EPISODE, CATEGORY)
    row = found.over_episodes
    assert row.difference == pytest.approx(0.1, abs=0.01)
    assert 0.09 < row.interval[0] < row.difference < row.interval[1] < 0.11
    assert row.p_value == pytest.approx(2 / 1001)
    assert found.count_categories() == {'A': 0, 'B': 4, 'equal': 0}
    assert found.count_categories(higher_is_better=False)['A'] == 4


def test_swapping_the_runs_mirrors_the_result():
    a, b = noise(0), noise(1) + 0.2
    there, back = (
        compare_pairs(*runs, EPISODE, CATEGORY).over_categories
        for runs in ((a, b), (b, a))
    )
    assert back.difference == -there.difference
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert back.p_value == there.p_value


def test_chance_is_seldom_significant():
    """Of 60 comparisons of equal runs about 5 % cross the line."""
    p_values = [
        compare_pairs(
            noise(seed), noise(seed + 500), EPISODE, CATEGORY, num_resamples=300
        ).over_episodes.p_value
        for seed in range(60)
    ]
    assert 0 < np.mean(np.array(p_values) < 0.05) < 0.2
    assert 0.3 < np.mean(p_values) < 0.7


def test_one_category_decides_the_mean_but_not_the_macro():
    """Categories of 9 and 1 pairs: +1 in the large, -1 in the small one."""
    category = np.array([1] * 9 + [2])
    gain = np.where(category == 1, 1.0, -1.0)
    found = compare_pairs(np.zeros(10), gain, np.arange(10), category)
    assert found.over_episodes.difference == pytest.approx(0.8)
    assert found.macro.difference == 0
    assert found.over_categories.interval == (-1, 1)
    assert found.per_category[1].difference == 1
    assert found.per_category[2].interval is None  # one episode
    assert found.count_categories() == {'A': 1, 'B': 1, 'equal': 0}


def test_a_single_category_has_no_others_to_draw():
    found = compare_pairs(np.zeros(4), np.ones(4), np.arange(4), np.ones(4, int))
    assert found.over_categories.interval is found.macro.p_value is None
    assert found.over_episodes.interval == (1, 1)


def test_seed_decides():
    runs = noise(0), noise(1), EPISODE, CATEGORY
    assert compare_pairs(*runs, seed=1) == compare_pairs(*runs, seed=1)
    assert compare_pairs(*runs, seed=1) != compare_pairs(*runs, seed=2)


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
    assert two_sided_p_value(np.array(differences, float)) == pytest.approx(expected)
