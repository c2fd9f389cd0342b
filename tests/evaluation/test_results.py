"""The table of an evaluation: joined, each pair once, and the same from its file."""

from types import SimpleNamespace

import numpy as np
import pytest
from episode_samples import random_sample
from pair_tables import make_pair, make_table, random_table

from cape_mm.errors import AnnotationFormatError, MissingDataError
from cape_mm.evaluation import EpisodePCK
from cape_mm.evaluation.result_file import (
    read_results,
    results_path,
    write_all_results,
    write_results,
)
from cape_mm.evaluation.results import (
    PAIR_COLUMNS,
    each_once,
    join_tables,
    with_gaps,
)

NAN = float('nan')


def assert_same(first, second):
    for name in PAIR_COLUMNS:
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.points.tobytes() == second.points.tobytes()
    np.testing.assert_array_equal(first.pair_of_point, second.pair_of_point)
    assert first.category_names == second.category_names
    for name, floor in second.floors.items():
        np.testing.assert_array_equal(first.floors[name].values, floor.values)
        np.testing.assert_array_equal(first.floors[name].distance, floor.distance)
        np.testing.assert_array_equal(first.floors[name].predicted, floor.predicted)


def test_rows_keep_their_keypoints():
    """Pairs of unequal K in another order, and one of them with a hidden keypoint."""
    parts = [
        make_pair(0, 0, 1, [0.1]),
        make_pair(0, 1, 1, [0.2, NAN, 0.3]),
        make_pair(1, 0, 2, None),
        make_pair(2, 0, 2, [0.4, 0.5]),
    ]
    table = join_tables(parts)
    assert table.keypoints['distance'].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert table.pair_of_keypoint.tolist() == [0, 1, 1, 3, 3]
    rows = np.array([3, 2, 1])
    assert_same(table.take(rows), join_tables([parts[row] for row in rows]))


def test_every_pair_once_in_the_order_of_the_list():
    parts = [make_pair(1, 0, 2, [0.4]), make_pair(0, 1, 1, [0.2]), *[None] * 2]
    parts[2:] = [make_pair(0, 0, 1, [0.1, 0.3]), parts[0]]
    expected = join_tables([parts[2], parts[1], parts[0]])
    assert_same(each_once(join_tables(parts)), expected)
    parts.append(make_pair(0, 0, 9, [0.1]))
    with pytest.raises(ValueError, match='categories have the episode_index'):
        each_once(join_tables(parts))


def test_planned_pairs_that_never_came_are_dropped_ones():
    plan = {
        1: dict(name='cat', num_pairs=3, left_out=None),
        7: dict(name='dog', num_pairs=2, left_out='too few'),
    }
    table = with_gaps(make_table((0, 0, 1, [0.1]), (0, 1, 1, [0.2])), plan)
    assert table.category_id.tolist() == [1, 1, 1, 7, 7]
    assert table.drop_reason[2:].tolist() == ['not evaluated', 'too few', 'too few']
    assert table.slot[2:].tolist() == [-1, -2, -3]
    assert table.category_names == {1: 'cat1', 7: 'dog'}
    assert table.floors['copy_support'].values.shape == (5, 8)


@pytest.fixture
def path(tmp_path):
    table = make_table((0, 0, 2, [0.1, 1 / 3]), (0, 1, 2, [NAN]), (3, 0, 5, None))
    return write_results(table, tmp_path / 'metrics.results.npz', {'checkpoint': 'w'})


def test_a_file_is_exact_and_written_alike(path, tmp_path):
    table = random_table()
    assert_same(read_results(write_results(table, tmp_path / 'a.npz')).table, table)
    stored = read_results(path)
    assert stored.run == {'checkpoint': 'w'}
    assert stored.table.is_scored.tolist() == [True, True, False]
    assert stored.table.is_empty.tolist() == [False, True, False]
    assert stored.table.drop_reason[2] == 'image not found'
    again = write_results(stored.table, tmp_path / 'b.npz', stored.run)
    assert_same(read_results(again).table, stored.table)


def test_a_user_may_name_folder_metrics_or_results(path):
    folder = path.parent
    assert results_path(folder / 'metrics.json') == path
    for name in (folder, folder / 'metrics.json', path):
        assert read_results(name).path == path
    with pytest.raises(MissingDataError, match='m.results.npz does not exist'):
        read_results(folder / 'm.json')


def test_every_metric_has_a_file_of_its_own(tmp_path):
    metrics = [EpisodePCK(), EpisodePCK(prefix='novel'), EpisodePCK()]
    for metric in metrics[:2]:  # the third has not been evaluated
        metric.process(None, [random_sample(0)])
        metric.evaluate(1)
    metrics.append(SimpleNamespace(pairs=1))  # not an EpisodePCK
    paths = write_all_results(metrics, {}, tmp_path / 'metrics.json')
    names = ['metrics.results.npz', 'novel.metrics.results.npz']
    assert [path.name for path in paths] == names
    assert_same(read_results(paths[1]).table, metrics[1].pairs)


@pytest.mark.parametrize('end', [0, 1, 100, -3])
def test_a_cut_file_is_refused(path, end):
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(AnnotationFormatError, match='is not a file of results, or is'):
        read_results(path)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('pair_of_point', np.array([0, 0, 5])),
        ('points', np.zeros(3)),
        ('header', np.array('{"format": "other"}')),
        ('header', np.array('[')),
    ],
)
def test_a_damaged_file_is_refused(path, name, value):
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files if key != name}
    for changed in (arrays, {**arrays, name: value}):
        np.savez(path, **changed)
        with pytest.raises(AnnotationFormatError, match='is not a file of results, or'):
            read_results(path)
