"""The best, the median and the worst are what they are called."""

from __future__ import annotations

from report_cases import evaluate, make_pair

from cape_mm.analysis.report.episode_choice import choose_episodes

NAN = float('nan')


def choose(*pairs, category=1):
    chosen = choose_episodes(evaluate(pairs).table)[category]
    return {one.rank: one for one in chosen}


def pair(episode, slot, num_right, error=0.01, category=1):
    """Four keypoints, so many of them right."""
    off = [error] * num_right + [0.9] * (4 - num_right)
    return make_pair(episode, slot, category, off)


def test_three_ranks_and_their_pairs():
    chosen = choose(
        *(pair(5, slot, num) for slot, num in enumerate((4, 3, 4))),
        *(pair(6, slot, num) for slot, num in enumerate((0, 1, 0))),
        *(pair(7, slot, num) for slot, num in enumerate((1, 4, 2))),
        *(pair(9, slot, 4, category=2) for slot in range(3)),
    )
    found = {rank: (one.episode_index, one.slot) for rank, one in chosen.items()}
    assert found == {'best': (5, 0), 'median': (7, 2), 'worst': (6, 2)}
    assert chosen['best'].episode_pck == 11 / 12
    assert (chosen['median'].pair_pck, chosen['median'].num_pairs) == (0.5, 3)


def test_error_decides_among_equals():
    chosen = choose(pair(1, 0, 4, 0.1), pair(2, 0, 4, 0.02), pair(3, 0, 4, 0.15))
    ranked = [chosen[rank].episode_index for rank in ('best', 'median', 'worst')]
    assert ranked == [2, 1, 3]


def test_few_episodes():
    assert list(choose(pair(1, 0, 4))) == ['only']
    assert list(choose(pair(1, 0, 4), pair(2, 0, 1))) == ['best', 'worst']


def test_pairs_without_a_keypoint_count_but_are_not_shown():
    empty = make_pair(1, 0, 1, [NAN] * 4)
    chosen = choose(empty, pair(1, 1, 4), make_pair(1, 2, 1, None))
    assert chosen['only'].slot == 1
    assert (chosen['only'].episode_pck, chosen['only'].num_pairs) == (0.5, 2)


def test_a_dropped_category_has_no_episode():
    assert choose(pair(1, 0, 4), make_pair(2, 0, 8, None), category=8) == {}
