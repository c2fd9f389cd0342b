"""Two results by their files of pairs: matched, refused, or compared where common."""

import pytest
from pair_tables import make_pair, make_table, random_table

from cape_mm.analysis.run_comparison import compare_results
from cape_mm.errors import ConfigError
from cape_mm.evaluation.result_file import write_results
from cape_mm.evaluation.results import join_tables

HASH = {'episodes_sha256': 'a' * 64}


@pytest.fixture
def store(tmp_path):
    """Writes pairs; returns the file."""

    def write(name, table, run=HASH):
        return write_results(table, tmp_path / f'{name}.results.npz', run)

    return write


def hand_pairs(*distances):
    """Episodes of two pairs; two episodes of category 1, one of category 2."""
    places = [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 0, 2), (2, 1, 2)]
    return make_table(*((*place, d) for place, d in zip(places, distances)))


def test_differences_by_hand(store, capsys):
    a = store('a', hand_pairs([0.1], [0.3], [0.3], [0.3], [0.1], [0.1]))
    b = store('b', hand_pairs([0.1], [0.1], [0.1], [0.3], [0.3], [0.1]))
    found = compare_results(a, b)
    assert found['over_episodes']['A'] == pytest.approx(3 / 6)
    assert found['over_episodes']['B'] == pytest.approx(4 / 6)
    assert found['macro']['A'] == pytest.approx((1 / 4 + 1) / 2)
    assert found['macro']['B'] == pytest.approx((3 / 4 + 1 / 2) / 2)
    rows = found['per_category']
    assert list(rows) == ['1 cat1', '2 cat2']
    # both episodes of category 1 gain one pair of two: whatever is drawn
    assert rows['1 cat1']['difference'] == 0.5
    assert rows['1 cat1']['interval'] == {'low': 0.5, 'high': 0.5}
    assert rows['2 cat2']['difference'] == -0.5
    assert rows['2 cat2']['interval'] is None
    assert found['categories_won'] == {'A': 1, 'B': 1, 'equal': 0}
    assert (found['num_pairs'], found['lost_pairs']) == (6, [])
    out = capsys.readouterr().out
    assert 'categories won: A 1, B 1, equal 0' in out
    assert 'PARTIAL' not in out


@pytest.mark.parametrize(
    ('key', 'a', 'b', 'won'),
    [
        ('PCK@0.05', 0, 1, 'B'),
        ('mPCK5', 2 / 5, 1, 'B'),
        ('NME', 0.17, 0.01, 'B'),
        ('EPE', 1.7, 0.1, 'B'),
    ],
)
def test_every_value_can_be_compared(store, key, a, b, won):
    first = store('a', make_table((0, 0, 1, [0.17]), (1, 0, 1, [0.17])))
    second = store('b', make_table((0, 0, 1, [0.01]), (1, 0, 1, [0.01])))
    found = compare_results(first, second, key=key)
    assert found['over_episodes']['A'] == pytest.approx(a)
    assert found['over_episodes']['B'] == pytest.approx(b)
    assert found['categories_won'][won] == 1  # lower errors win


def test_other_labels_are_told(store, capsys):
    """The episodes' hash is of their ids: labels may have been corrected meanwhile."""
    table = make_table((0, 0, 1, [0.1]), (1, 0, 1, [0.1]))
    runs = [{**HASH, 'annotations_sha256': letter * 64} for letter in 'xyx']
    a, b, c = (store(f'{i}', table, run) for i, run in enumerate(runs))
    assert compare_results(a, c)['same_annotations'] is True
    assert 'ANNOTATIONS' not in capsys.readouterr().out
    assert compare_results(a, b)['same_annotations'] is False
    assert 'ANNOTATIONS DIFFER' in capsys.readouterr().out
    assert compare_results(a, store('old', table))['same_annotations'] is None


def test_other_episodes_are_refused(store):
    a = store('a', random_table())
    b = store('b', random_table(), {'episodes_sha256': 'b' * 64})
    with pytest.raises(ConfigError, match='of different episodes.*a{64}.*b{64}'):
        compare_results(a, b)
    with pytest.raises(ConfigError, match='of different episodes'):
        compare_results(a, b, common_pairs=True)


def test_a_partial_run_is_named_and_only_common_pairs_are_compared(store, capsys):
    a = store('a', hand_pairs([0.1], [0.3], [0.3], [0.3], [0.1], [0.1]))
    b = store('b', hand_pairs([0.1], None, [0.1], [0.3], [0.3], None))
    match = (
        r'B \(.*b.results.npz\) is partial, 2 pairs are missing \(image not found: 2\).'
        r'*--common-pairs compares the 4 that both scored'
    )
    with pytest.raises(ConfigError, match=match):
        compare_results(a, b)
    found = compare_results(a, b, common_pairs=True)
    assert found['num_pairs'] == 4
    assert found['over_episodes']['A'] == pytest.approx(2 / 4)
    assert found['over_episodes']['B'] == pytest.approx(2 / 4)
    assert len(found['lost_pairs']) == 1
    assert 'PARTIAL: B (' in capsys.readouterr().out


def test_pairs_of_no_episode_are_missing_where_they_were_planned(store):
    """A category that a run left out has pairs, but no episode: index -1."""
    table = hand_pairs([0.1], [0.3], [0.3], [0.3], [0.1], [0.1])
    gap = join_tables([make_pair(0, 0, 1, [0.1]), make_pair(-1, -1, 9, None)])
    with pytest.raises(ConfigError, match=r'^A .*1 pairs are missing.*; B .*1 pairs'):
        compare_results(store('a', gap), store('b', gap))
    with pytest.raises(ConfigError, match=r'^A [^;]*6 pairs are missing[^;]*$'):
        compare_results(store('a', gap), store('b', table))


def test_arguments(store):
    a = store('a', random_table())
    with pytest.raises(
        ConfigError, match="key must be one of .*PCK@0.05'.*, got 'PCK'"
    ):
        compare_results(a, a, key='PCK')
    with pytest.raises(ConfigError, match='num_resamples must be .*at least 1, got 0'):
        compare_results(a, a, num_resamples=0)


def test_a_star_marks_what_is_no_chance(store, capsys):
    a, b = (
        store('a', random_table(0, noise=0.3)),
        store('b', random_table(0, noise=0.1)),
    )
    row = compare_results(a, b)['over_episodes']
    assert row['interval']['low'] > 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [x for x in lines if x.startswith('mean over pairs, episodes')]
    assert line.endswith('*')
    assert f'{100 * row["difference"]:+.2f}' in line.split()
