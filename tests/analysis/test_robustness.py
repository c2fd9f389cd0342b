"""A disturbed run beside the clean one: only pairs that both scored, no luck."""

from __future__ import annotations

import numpy as np

from cape_mm.analysis.robustness import compare_to_clean, format_row
from cape_mm.evaluation.results import PCK_COLUMN, VALUE_KEYS, ResultTable

NME = VALUE_KEYS.index('NME')


def make_table(pairs: dict[tuple[int, int], tuple[float, float] | None]) -> ResultTable:
    """Pairs (episode, slot) of two categories with PCK@0.2 and NME; None is dropped."""
    values = np.full((len(pairs), len(VALUE_KEYS)), np.nan)
    for row, pair in zip(values, pairs.values()):
        if pair is not None:
            row[:] = 0
            row[PCK_COLUMN], row[NME] = pair
    episodes = np.array([episode for episode, _ in pairs])
    return ResultTable(
        episode_index=episodes,
        slot=np.array([slot for _, slot in pairs]),
        category_id=7 + episodes % 2,
        ann_id=np.full(len(pairs), -1),
        drop_reason=np.array(['gone' if p is None else '' for p in pairs.values()]),
        values=values,
        category_names={7: 'seven', 8: 'eight'},
    )


def test_pairs_are_matched_by_key_and_lost_ones_counted():
    clean = make_table({(0, 0): (1, 0.1), (0, 1): (0.5, 0.1), (1, 0): (1, 0.1)})
    edited = make_table({(1, 0): (0.5, 0.1), (0, 1): None, (0, 0): (0, 0.1)})
    record = compare_to_clean(clean, edited, 100, 0)
    assert (record['num_pairs'], record['num_pairs_left_out']) == (2, 1)
    assert (record['clean'], record['PCK@0.2']) == (1, 0.25)
    assert record['difference'] == -0.75
    low, high = (record['over_categories']['interval'][end] for end in ('low', 'high'))
    assert low <= -0.75 <= high


def test_nothing_in_common_is_said_and_not_averaged():
    clean, edited = make_table({(0, 0): (1, 0.1)}), make_table({(0, 0): None})
    record = compare_to_clean(clean, edited, 10, 0)
    assert 'PCK@0.2' not in record
    assert format_row(dict(record, label='blur')) == ['blur', *['-'] * 6, '0', '1']
