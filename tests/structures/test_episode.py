"""An episode is a value: frozen, comparable, and never with an instance twice."""

import pytest

from cape_mm.structures import Episode


@pytest.mark.parametrize(
    'supports, queries', [((1,), (1,)), ((1, 1), (2,)), ((1,), (2, 3, 2))]
)
def test_refuses_an_instance_twice(supports, queries):
    with pytest.raises(ValueError, match='an instance appears twice in the episode'):
        Episode(3, supports, queries)


@pytest.mark.parametrize(
    'supports, queries, counts', [((), (1,), '0 and 1'), ((1, 2), (), '2 and 0')]
)
def test_refuses_an_empty_side(supports, queries, counts):
    with pytest.raises(ValueError, match=f'at least one .* got {counts}'):
        Episode(3, supports, queries)
