"""What a model is trained on: which categories, how much data, and what was missing.

Results on trained categories say nothing about new ones. A category is known by its id
and name together: ids alone repeat between files, and MP-100 has two categories called
"face".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from mmengine.logging import MessageHub
from torch.utils.data import DataLoader, Dataset

from ..datasets.multi_source_dataset import sources_of

Categories = dict[tuple[int, str], None]
"""Id and name of categories, in order, each once."""

HUB_KEY = 'train_categories'
"""Where a checkpoint keeps them: ``checkpoint['message_hub']['runtime_info']``."""
GAPS_KEY = 'train_data_partial'
"""The same for a text about each training on incomplete data."""
NUM_SHOWN = 3


def usable_categories(dataset: object) -> Categories:
    """Categories with a usable instance; none if the data set is not about episodes."""
    used: Categories = {}
    for source in sources_of(dataset):
        pools = getattr(source.dataset, 'instances_by_category', None) or {}
        for category_id in filter(pools.get, pools):
            name = str(source.dataset.categories[category_id].name)
            used[int(category_id), name] = None
    return used


def remember_categories(
    hub: MessageHub, categories: Iterable[tuple[int, str]]
) -> Categories:
    """Add to the trained categories that checkpoints keep.

    Returns:
        All of them, with those of the checkpoint that training went on from.
    """
    trained = {**trained_of(hub), **dict.fromkeys(categories)}
    hub.update_info(HUB_KEY, [list(key) for key in trained])
    return trained


def trained_of(hub: MessageHub) -> Categories:
    """Trained categories of a run."""
    return dict.fromkeys(map(tuple, hub.get_info(HUB_KEY, [])))


def remember_gaps(hub: MessageHub, texts: Iterable[str | None]) -> None:
    """Add to what checkpoints say of gaps in the training data; None adds nothing."""
    earlier = hub.get_info(GAPS_KEY, [])
    gaps = list(dict.fromkeys([*earlier, *filter(None, texts)]))
    if gaps:
        hub.update_info(GAPS_KEY, gaps)


def remember_training(hub: MessageHub, checkpoint: Mapping) -> None:
    """Add what the training of a checkpoint has seen."""
    remember_categories(hub, trained_categories_of(checkpoint))
    remember_gaps(hub, training_gaps_of(checkpoint))


def trained_categories_of(checkpoint: Mapping) -> Categories:
    """Trained categories of a checkpoint; none if it does not say."""
    return dict.fromkeys(map(tuple, _runtime_info(checkpoint).get(HUB_KEY, ())))


def training_gaps_of(checkpoint: Mapping) -> list[str]:
    """What the training data of a checkpoint lacked; nothing if it does not say."""
    return list(_runtime_info(checkpoint).get(GAPS_KEY, ()))


def _runtime_info(checkpoint: Mapping) -> Mapping:
    return (checkpoint.get('message_hub') or {}).get('runtime_info') or {}


def describe_gaps(dataset: object) -> str | None:
    """Which part of the complete training data is there; None if all of it is.

    Missing are instances without an image file. A category counts as there with its
    first instance.
    """
    here: Counter[tuple[str, int]] = Counter()
    lost: Counter[tuple[str, int]] = Counter()
    for source in sources_of(dataset):
        pools = getattr(source.dataset, 'instances_by_category', None) or {}
        missing = getattr(source.dataset, 'num_without_image', None) or {}
        here.update({(source.name, key): len(pool) for key, pool in pools.items()})
        lost.update({(source.name, key): number for key, number in missing.items()})
    if not lost.total():
        return None
    counts, num_here = +here, here.total()
    num_categories = len(counts.keys() | (+lost).keys())
    return (
        f'{len(counts):,} of {num_categories:,} categories, {num_here:,} of '
        f'{num_here + lost.total():,} instances'
    )


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


def describe_data(dataloader: DataLoader) -> str:
    """Class, categories and usable instances of a data set, shots and queries."""
    dataset, sampler = dataloader.dataset, dataloader.sampler
    sources = sources_of(dataset)
    total = sum(source.weight for source in sources)
    parts = [
        (f'{one.weight / total:.0%} {one.name}: ' if one.name else '')
        + describe_size(one.dataset)
        for one in sources
    ]
    for name in ('num_shots', 'num_queries'):
        if hasattr(sampler, name):
            value = getattr(sampler, name)  # or a range that it is drawn from
            is_range = isinstance(value, Sequence)
            parts.append(
                f'{name} {" to ".join(map(str, value)) if is_range else value}'
            )
    return f'{type(dataset).__name__}: ' + ', '.join(parts)


def describe_size(dataset: Dataset) -> str:
    """Categories and usable instances of a data set."""
    categories = getattr(dataset, 'categories', None)
    number = getattr(dataset, 'num_instances', len(dataset))
    if categories is None:
        return f'{number:,} items'
    return f'{len(categories)} categories, {number:,} usable instances'
