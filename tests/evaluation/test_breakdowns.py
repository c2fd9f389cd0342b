"""Tables of an evaluation against numbers worked out by hand."""

import numpy as np
import pytest
from pair_tables import make_table, random_table

from cape_mm.evaluation import breakdowns as D

NAN = float('nan')


def hand_table():
    """Categories 2 and 9; one empty pair and one dropped pair of category 9.

    PCK@0.2 of the pairs: 1/2 and 1 (category 2), 0, 0 for empty (category 9).
    """
    return make_table(
        (0, 0, 2, [0.1, 0.4, NAN], [1, 2, 0], 'birds'),
        (0, 1, 2, [0.04, 0.15, NAN], [2, 2, 0], 'birds'),
        (1, 0, 9, [0.2, NAN], [1, 0], 'cats'),
        (1, 1, 9, [NAN, NAN], [0, 0], 'cats'),
        (1, 2, 9, None, None, 'cats'),
    )


def test_macro_weighs_categories_not_pairs():
    macro = D.macro_means(hand_table())
    assert macro['PCK_macro@0.2'] == pytest.approx((0.75 + 0) / 2)
    assert macro['NME_macro'] == pytest.approx(((0.25 + 0.095) / 2 + 0.2 / 2) / 2)
    # category 2 by threshold: 1/4, 1/4 (0.1 is strict), 1/2, 3/4, 3/4; 9: the last 1/2
    expected = ((0.25 + 0.25 + 0.5 + 0.75 + 0.75) / 5 + 0.5 / 5) / 2
    assert macro['mPCK5_macro'] == pytest.approx(expected)


def test_supercategories():
    rows = D.by_supercategory(hand_table())
    assert list(rows) == ['birds', 'cats']
    assert rows['birds']['PCK@0.2'] == pytest.approx(0.75)
    assert rows['birds']['mPCK5'] == pytest.approx(0.5)
    assert (rows['cats']['num_pairs'], rows['cats']['num_categories']) == (2, 1)
    assert D.by_supercategory(random_table()) == {}


def test_keypoints():
    rows = D.by_keypoint(hand_table())
    assert rows[2] == {'PCK@0.2': [1.0, 0.5, None], 'num_scored': [2, 2, 0]}
    assert rows[9] == {'PCK@0.2': [0.0, None], 'num_scored': [1, 0]}


def test_visibility():
    rows = D.by_visibility(hand_table())
    assert rows['v=1'] == {'PCK@0.05': 0.0, 'PCK@0.2': 0.5, 'num_keypoints': 2}
    assert rows['v=2']['num_keypoints'] == 3
    assert rows['v=2']['PCK@0.2'] == pytest.approx(2 / 3)
    assert rows['v=2']['PCK@0.05'] == pytest.approx(1 / 3)
    assert D.by_visibility(random_table()) == {}


def test_curve_by_hand():
    thresholds = np.array([0, 0.04, 0.1, 0.2, 0.3, 0.5])
    curve = D.pck_curve(hand_table(), thresholds)
    pairs = [[0, 0, 0, 0.5, 0.5, 1], [0, 0, 0.5, 1, 1, 1], [0, 0, 0, 0, 1, 1]]
    np.testing.assert_allclose(curve['PCK'], np.sum(pairs, axis=0) / 4)  # one is empty
    floor = [0, 0, 0, 0, 0, 3 / 4]  # 0.3 everywhere
    np.testing.assert_allclose(curve['copy_support/PCK'], floor)
    assert curve['thresholds'] == thresholds.tolist()


def test_curve_passes_through_the_official_values():
    table = random_table()
    curve = D.pck_curve(table)
    for column, thr in enumerate((0.05, 0.1, 0.15, 0.2, 0.25)):
        place = curve['thresholds'].index(thr)
        expected = table.official_values[:, column].mean()
        assert curve['PCK'][place] == pytest.approx(expected, abs=1e-12)
    assert np.all(np.diff(curve['PCK']) >= 0)
    assert len(curve['PCK']) == 51
