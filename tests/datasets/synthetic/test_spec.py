"""Sizes, and how the categories are dealt out to the splits."""

import pytest

from cape_mm.datasets.synthetic.spec import SIZES, SPLITS, make_spec
from cape_mm.errors import ConfigError


@pytest.mark.parametrize('size', sorted(SIZES))
def test_category_ids_are_dealt_out_once(size):
    spec = make_spec(size, 0, {})
    ids = spec.category_ids()
    assert {s: len(ids[s]) for s in SPLITS} == dict(spec.num_categories)
    dealt = sorted(i for group in ids.values() for i in group)
    assert dealt == list(range(1, sum(spec.num_categories.values()) + 1))
    assert ids == make_spec(size, 0, {}).category_ids()
    assert ids != make_spec(size, 1, {}).category_ids()


def test_bad_numbers():
    with pytest.raises(ConfigError, match="size must be one of .*, got 'huge'"):
        make_spec('huge', 0, {})
    with pytest.raises(ConfigError, match='seed must be a whole number, at least 0'):
        make_spec('tiny', -1, {})
