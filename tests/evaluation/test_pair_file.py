"""Pairs on disk: what is written is read, and nothing else."""

import json

import numpy as np
import pytest
from pair_tables import make_table, random_table

from cape_mm.errors import AnnotationFormatError, MissingDataError
from cape_mm.evaluation.pair_file import find_pairs, pairs_path, read_pairs, write_pairs

NAN = float('nan')


@pytest.fixture
def path(tmp_path):
    table = make_table((0, 0, 2, [0.1, 1 / 3]), (0, 1, 2, [NAN]), (3, 0, 5, None))
    return write_pairs(table, tmp_path / 'metrics.pairs.json', {'checkpoint': 'w.pth'})


def test_round_trip_is_exact(tmp_path):
    table = random_table()
    stored = read_pairs(write_pairs(table, tmp_path / 'a.pairs.json'))
    np.testing.assert_array_equal(stored.table.values, table.values)
    assert stored.table.category_names == table.category_names
    assert len(stored.table) == 60


def test_empty_and_dropped_pairs_stay_apart(path):
    stored = read_pairs(path)
    assert stored.run == {'checkpoint': 'w.pth'}
    assert stored.table.is_scored.tolist() == [True, True, False]
    assert stored.table.is_empty.tolist() == [False, True, False]
    assert stored.table.drop_reason[2] == 'image not found'
    assert stored.table.episode_index.tolist() == [0, 0, 3]


def test_same_pairs_same_bytes(path, tmp_path):
    again = read_pairs(path)
    copy = write_pairs(again.table, tmp_path / 'copy.pairs.json', again.run)
    assert copy.read_bytes() == path.read_bytes()


def test_a_user_may_name_folder_metrics_or_pairs(path):
    folder = path.parent
    assert pairs_path(folder / 'metrics.json') == path
    assert find_pairs(folder) == find_pairs(folder / 'metrics.json') == path
    assert find_pairs(path) == path


def test_no_pairs(tmp_path):
    with pytest.raises(MissingDataError, match='m.pairs.json does not exist'):
        read_pairs(tmp_path / 'm.json')


def test_other_files_are_refused(path):
    path.write_text('{"PCK@0.2": 0.5}')
    with pytest.raises(AnnotationFormatError, match='is not a file of pairs: "format"'):
        read_pairs(path)
    path.write_text('[1]')
    with pytest.raises(AnnotationFormatError, match='is not a file of pairs'):
        read_pairs(path)


@pytest.mark.parametrize('end', [0, 1, 100, -3])
def test_cut_file_is_refused(path, end):
    path.write_text(path.read_text()[:end])
    with pytest.raises(AnnotationFormatError, match='is not a JSON file'):
        read_pairs(path)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('slot', [0, 1]),
        ('slot', [0, 0, 0]),
        ('slot', ['a', 'b', 'c']),
        ('slot', [10**30, 1, 2]),
        ('values', [[0.5] * 8]),
        ('values', [[0.5] * 7] * 3),
        ('values', [['x'] * 8] * 3),
        ('values', None),
        ('value_keys', ['PCK@0.2']),
        ('categories', []),
    ],
)
def test_damaged_file_is_refused(path, key, value):
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(AnnotationFormatError, match='is damaged'):
        read_pairs(path)
