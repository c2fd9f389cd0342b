"""Which categories a model was trained on: results on them say nothing about new ones.

A category is known by its id and name together: ids alone repeat between files, and
MP-100 has two categories called "face".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mmengine.logging import MessageHub

Categories = dict[tuple[int, str], None]
"""Id and name of categories, in order, each once."""

HUB_KEY = 'train_categories'
"""Where a checkpoint keeps them: ``checkpoint['message_hub']['runtime_info']``."""
NUM_SHOWN = 3


def usable_categories(dataset: object) -> Categories:
    """Categories with a usable instance; none if the data set is not about episodes."""
    pools = getattr(dataset, 'instances_by_category', None) or {}
    used = [category_id for category_id, pool in pools.items() if pool]
    return {(int(i), str(dataset.categories[i].name)): None for i in used}


def remember_categories(
    hub: MessageHub, categories: Iterable[tuple[int, str]]
) -> Categories:
    """Add to the trained categories that checkpoints keep.

    Returns:
        All of them, with those of the checkpoint that training went on from.
    """
    earlier = map(tuple, hub.get_info(HUB_KEY, []))
    trained = dict.fromkeys([*earlier, *categories])
    hub.update_info(HUB_KEY, [list(key) for key in trained])
    return trained


def trained_categories_of(checkpoint: Mapping) -> Categories:
    """Trained categories of a checkpoint; none if it does not say."""
    info = (checkpoint.get('message_hub') or {}).get('runtime_info') or {}
    return dict.fromkeys(map(tuple, info.get(HUB_KEY, ())))


def describe_overlap(
    evaluated: Collection[tuple[int, str]], trained: Categories, kind: str
) -> str | None:
    """Warning about evaluated categories that are trained on; None if there are none.

    Args:
        evaluated: categories of the evaluation.
        trained: categories of the training.
        kind: ``'val'`` or ``'test'``.
    """
    names = [name for i, name in evaluated if (i, name) in trained]
    if not names:
        return None
    shown = ', '.join(names[:NUM_SHOWN]) + (', ...' if len(names) > NUM_SHOWN else '')
    return (
        f'{len(names)} of {len(evaluated)} {kind} categories are also trained on '
        f'({shown}): {kind} results say nothing about novel categories'
    )
