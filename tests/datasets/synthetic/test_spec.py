"""Sizes, shares and the messages for numbers that make no data set."""

import pytest

from cape_mm.datasets.synthetic.spec import EMPTY_KINDS, SIZES, SPLITS, make_spec
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


def test_empties_are_a_share_spread_over_all_kinds():
    counts = SIZES['tiny'].num_empties('train')
    assert sum(counts.values()) == round(0.03 * 70 * 40) == 84
    assert counts == dict.fromkeys(EMPTY_KINDS, 14)
    small = make_spec('tiny', 0, dict(instances_per_category=2)).num_empties('val')
    assert small == dict.fromkeys(EMPTY_KINDS, 1)
    none = make_spec('tiny', 0, dict(empty_share=0)).num_empties('train')
    assert not any(none.values())


@pytest.mark.parametrize(
    ('size', 'seed', 'overrides', 'message'),
    [
        ('huge', 0, {}, "unknown size 'huge'; choose one of"),
        ('tiny', -1, {}, 'seed must be a whole number, at least 0, got -1'),
        ('tiny', 0, dict(colour=3), r"unknown override \['colour'\]"),
        ('tiny', 0, dict(num_categories=7), 'num_categories must be a dict'),
        ('tiny', 0, dict(num_categories=dict(train=1, val=1)), 'with the keys'),
        (
            'tiny',
            0,
            dict(num_categories=dict(train=3, val=0, test=1)),
            r"num_categories\['val'\] must be a whole number, at least 1, got 0",
        ),
        ('tiny', 0, dict(instances_per_category=1), 'instances_per_category must be'),
        (
            'tiny',
            0,
            dict(image_size=8),
            'image_size must be a whole number, at least 32',
        ),
        ('tiny', 0, dict(image_size=64.0), 'image_size must be a whole number'),
        ('tiny', 0, dict(empty_share=1.5), 'empty_share must be a number from 0 to 1'),
        (
            'tiny',
            0,
            dict(double_share=0.9),
            'twice double_share must be a number from 0 to 1',
        ),
    ],
)
def test_bad_numbers(size, seed, overrides, message):
    with pytest.raises(ConfigError, match=message):
        make_spec(size, seed, overrides)
