"""Checks of plain values: what passes, what does not, and what is said."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from cape_mm.errors import ConfigError
from cape_mm.utils.value_checks import (
    check_at_least,
    check_choice,
    check_not_negative,
    check_number,
    check_options,
    check_positive,
    check_probability,
)

from_two = partial(check_at_least, lowest=2)
NO_NUMBERS = (float('nan'), float('inf'), '1', None, True)


@pytest.mark.parametrize(
    ('check', 'good', 'bad'),
    [
        (from_two, (2, 9, np.int64(2)), (1, -3, 2.0, '2', None, True)),
        (check_number, (-3, 0, 1.5, np.float32(1)), NO_NUMBERS),
        (check_probability, (0, 1, 0.5), (-0.1, 1.1, 7, *NO_NUMBERS)),
        (check_positive, (1e-9, 3), (0, -1, *NO_NUMBERS)),
        (check_not_negative, (0, 3.5), (-1e-9, *NO_NUMBERS)),
        (partial(check_choice, choices=('a', 'b')), ('a', 'b'), ('c', None)),
    ],
)
def test_values(check, good, bad):
    for value in good:
        check('width', value)
    for value in bad:
        with pytest.raises(ConfigError, match=r'^width must be .* got '):
            check('width', value)


def test_options_by_name():
    given = dict(a=1)
    options = check_options('head', given, ('a', 'b'))
    assert options == given and options is not given
    assert check_options('head', None, ('a',)) == {}
    with pytest.raises(ConfigError, match="head has no option 'c'. It takes: a, b."):
        check_options('head', dict(c=1), lambda a, b=3: None)
    with pytest.raises(ConfigError, match='head must be a dict of options, got 3'):
        check_options('head', 3, ('a',))
