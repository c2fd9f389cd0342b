"""The table that is printed and the file that is written."""

import json

import pytest

from cape_mm.evaluation import format_table, write_metrics
from cape_mm.evaluation.report import as_shown, is_lower_better, name_with_unit

NAN = float('nan')


@pytest.fixture
def metrics():
    values = {'PCK@0.2': 0.876, 'PCK_valid@0.2': 0.881, 'mPCK5': 0.7, 'EPE': 12.34}
    return {
        **values,
        'copy_support/PCK@0.2': 0.481,
        'copy_support/EPE': 40.0,
        'num_pairs': 60_000,
        'num_pairs_dropped': 0,
        'num_pairs_empty': 0,
        'num_categories': 2,
        'dropped_by_reason': {},
        'per_category': {
            '18 face': category_row(0.9, 0.5),
            '40 face': category_row(0.4, 0.45),
        },
    }


def category_row(pck, floor, num_pairs=3000, dropped=0):
    return {
        'PCK@0.2': pck,
        'mPCK5': pck,
        'copy_support/PCK@0.2': floor,
        'num_pairs': num_pairs,
        'num_pairs_dropped': dropped,
    }


def line_of(table, start):
    (line,) = [line for line in table.splitlines() if line.startswith(start)]
    return line.split()


def test_values_stand_beside_the_floor(metrics):
    table = format_table(metrics)
    assert line_of(table, 'PCK@0.2 ')[-2:] == ['87.6', '48.1']
    assert line_of(table, 'EPE')[-2:] == ['12.3', '40.0']
    assert line_of(table, '18 face')[2:6] == ['90.0', '50.0', '+40.0', '90.0']
    assert line_of(table, '40 face')[4] == '-5.0'
    assert '60,000 pairs of 2 categories scored, 0 dropped' in table
    assert 'partial' not in table


def test_a_second_floor_has_columns_of_its_own(metrics):
    metrics['matching/PCK@0.2'] = 0.7
    for row in metrics['per_category'].values():
        row['matching/PCK@0.2'] = 0.65
    table = format_table(metrics)
    assert line_of(table, 'PCK@0.2 ')[-3:] == ['87.6', '48.1', '70.0']
    gains = ['90.0', '50.0', '+40.0', '65.0', '+25.0', '90.0']
    assert line_of(table, '18 face')[2:8] == gains
    head = ['copy', 'support', 'gain', 'matching', 'gain', 'mPCK5']
    assert line_of(table, 'category')[4:10] == head


def test_partial_result_is_marked(metrics):
    text = 'partial: 2 of 3 categories, 60,000 of 100,000 pairs'
    metrics.update(
        num_pairs_dropped=40_000,
        dropped_by_reason={'image not found': 40_000},
        partial={'text': text, 'num_pairs': 60_000},
    )
    metrics['per_category']['41 gone'] = category_row(NAN, NAN, 0, 40_000)
    table = format_table(metrics)
    assert f'\n{text} (image not found: 40,000). Do not compare' in table
    assert line_of(table, '41 gone')[2:] == ['-', '-', '-', '-', '0', '40,000']
    prefixed = {f'mine/{key}': value for key, value in metrics.items()}
    assert f'\nmine/{text}' in format_table({**prefixed, 'other/partial': None})


def test_confidence_has_lines_of_its_own(metrics):
    assert 'ECE' not in format_table(metrics)
    metrics.update(
        {
            'mean_confidence': 0.876,
            'ECE@0.2': 0.0321,
            'Brier@0.2': 0.07,
            'AURC@0.2': 0.0212,
            'risk_coverage@0.2': {'0.2': 0.001, '1': 0.124},
        }
    )
    table = format_table(metrics)
    assert (
        'mean confidence 87.6 %, ECE@0.2 3.2 %, Brier@0.2 0.070, AURC@0.2 0.021\n'
        'wrong [%] among the most confident 20 %: 0.1, 100 %: 12.4\n'
    ) in table
    assert 'visibility AUROC 0.912' in format_table(
        {**metrics, 'visibility_AUROC': 0.9123}
    )


def test_other_metrics_are_listed_plainly(metrics):
    prefixed = {f'mine/{key}': value for key, value in metrics.items()}
    table = format_table({**prefixed, 'run': {'config': 'c.py'}})
    assert line_of(table, 'mine/PCK@0.2') == ['mine/PCK@0.2', '0.876']
    assert line_of(table, 'mine/num_pairs ') == ['mine/num_pairs', '60000']
    assert 'c.py' not in table
    assert format_table({}) == 'the metrics hold no number'


def test_json_round_trip(metrics, tmp_path):
    path = write_metrics(metrics, tmp_path / 'run' / 'metrics.json')
    assert json.loads(path.read_text()) == metrics
    assert [file.name for file in path.parent.iterdir()] == ['metrics.json']


def test_nan_is_written_as_null(tmp_path):
    path = write_metrics({'a': {'b': NAN}, 'c': [1.5]}, tmp_path / 'metrics.json')
    assert json.loads(path.read_text()) == {'a': {'b': None}, 'c': [1.5]}


def test_directions_and_units():
    for key in ('loss', 'loss_x', 'NME', 'val/EPE', 'time', 'ECE@0.2'):
        assert is_lower_better(key)
    for key in ('PCK@0.2', 'mPCK5', 'AUC', 'copy_support/PCK@0.2'):
        assert not is_lower_better(key)
    assert as_shown('PCK_macro@0.2', 0.5) == 50
    assert as_shown('EPE', 12.0) == 12
    assert name_with_unit('NME') == 'NME [%]'
    assert name_with_unit('loss') == 'loss'
