"""What was trained on: categories, found by id and name, and gaps in the data."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

from mmengine.logging import MessageHub

from cape_mm.engine.trained_categories import (
    describe_gaps,
    describe_overlap,
    remember_categories,
    remember_gaps,
    remember_training,
    trained_categories_of,
    training_gaps_of,
)


def test_checkpoints_keep_all_of_them_once_and_in_order():
    hub = MessageHub('test_checkpoints_keep_all_of_them')
    remember_categories(hub, [(2, 'dog'), (1, 'cat')])
    assert list(remember_categories(hub, [(1, 'cat'), (3, 'cat')])) == [
        *((2, 'dog'), (1, 'cat'), (3, 'cat'))
    ]
    checkpoint = dict(message_hub=hub.state_dict())
    assert list(trained_categories_of(checkpoint)) == [
        *((2, 'dog'), (1, 'cat'), (3, 'cat'))
    ]
    assert trained_categories_of(dict(state_dict={})) == {}


def test_overlap_is_of_id_and_name():
    trained = dict.fromkeys((i, f'c{i}') for i in range(10))
    assert describe_overlap([(1, 'c2'), (11, 'c1')], trained, 'val') is None
    assert describe_overlap([(1, 'c1'), (11, 'c1')], trained, 'val') == (
        '1 of 2 val categories are also trained on (c1): val results say nothing about '
        'novel categories'
    )
    warning = describe_overlap(trained, trained, 'test')
    assert warning.startswith('10 of 10 test categories')
    assert '(c0, c1, c2, ...): test results' in warning


def test_gaps_are_lost_images():
    dataset = SimpleNamespace(
        instances_by_category={1: [(1, 1)] * 5, 2: [], 3: [(2, 2)] * 1000, 4: []},
        num_without_image=Counter({1: 2, 2: 3}),
    )
    text = '2 of 3 categories, 1,005 of 1,010 instances'
    assert describe_gaps(dataset) == text
    dataset.num_without_image = Counter({1: 0})
    assert describe_gaps(dataset) is None
    assert describe_gaps(object()) is None


def test_checkpoints_keep_the_gaps_of_every_training():
    hub = MessageHub('test_checkpoints_keep_the_gaps')
    remember_gaps(hub, [None])
    assert training_gaps_of(dict(message_hub=hub.state_dict())) == []
    remember_gaps(hub, ['1 of 2'])
    remember_categories(hub, [(1, 'cat')])
    first = dict(message_hub=hub.state_dict())
    tuned = MessageHub('test_checkpoints_keep_the_gaps_tuned')
    remember_training(tuned, first)
    remember_gaps(tuned, ['1 of 2', '3 of 4'])
    last = dict(message_hub=tuned.state_dict())
    assert training_gaps_of(last) == ['1 of 2', '3 of 4']
    assert list(trained_categories_of(last)) == [(1, 'cat')]
    assert training_gaps_of({}) == []
