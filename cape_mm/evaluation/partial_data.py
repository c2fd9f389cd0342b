"""Which part of a full evaluation a result covers: gaps are counted and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .pair_records import PairRecord

NOT_EVALUATED = 'not evaluated'
"""Why a pair is missing that was to be evaluated, yet never came."""


class PartialNotice(dict):
    """A dict that prints as its one line of text; copies and pickles as a plain dict.

    MMEngine's log line is ``<key>: <value>``, here ``partial: 73 of 100 categories,
    41,220 of 60,000 pairs``, which also is the value of ``text``.
    """

    def __str__(self) -> str:
        return self['text'].removeprefix('partial: ')

    def __reduce__(self) -> tuple:
        return dict, (dict(self),)


def records_of_gaps(
    records: Sequence[PairRecord], plan: Mapping[int, Mapping[str, Any]]
) -> list[PairRecord]:
    """Records of the planned pairs that no episode brought, as dropped pairs.

    Args:
        records: the pairs of all processes, scored and dropped, each once.
        plan: by category id its ``name``, ``num_pairs`` and ``left_out``, the reason
            why no episode of it was drawn, or None.

    Returns:
        One record per pair, with slots below 0: no pair that exists has such a key.
    """
    counts = Counter(record.category_id for record in records)
    gaps: list[PairRecord] = []
    for category_id, planned in plan.items():
        for _ in range(planned['num_pairs'] - counts[category_id]):
            gaps.append(
                PairRecord(
                    episode_index=-1,
                    slot=-1 - len(gaps),
                    category_id=category_id,
                    category_name=planned['name'],
                    values=None,
                    floor_values=None,
                    drop_reason=planned['left_out'] or NOT_EVALUATED,
                )
            )
    return gaps


def describe_partial(
    records: Sequence[PairRecord], plan: Mapping[int, Mapping[str, Any]]
) -> PartialNotice | None:
    """What was scored of all pairs; None if nothing was dropped or left out.

    A category counts as scored with the first of its pairs.

    Args:
        records: all planned pairs, scored and dropped.
        plan: as of :func:`records_of_gaps`; with ``num_left_out`` the episodes of a
            category were drawn without so many of the complete data's instances.

    Returns:
        ``text``, and the numbers in it: ``num_categories``, ``num_categories_planned``,
        ``num_pairs``, ``num_pairs_planned``, and ``num_left_out`` if there are any.
    """
    scored = [record for record in records if record.drop_reason is None]
    num_left_out = sum(planned.get('num_left_out', 0) for planned in plan.values())
    if len(scored) == len(records) and not num_left_out:
        return None
    numbers = dict(
        num_categories=len({record.category_id for record in scored}),
        num_categories_planned=len({record.category_id for record in records}),
        num_pairs=len(scored),
        num_pairs_planned=len(records),
    )
    text = (
        'partial: {num_categories:,} of {num_categories_planned:,} categories, '
        '{num_pairs:,} of {num_pairs_planned:,} pairs'
    )
    if num_left_out:
        numbers['num_left_out'] = num_left_out
        unit = 'instance' if num_left_out == 1 else 'instances'
        text += f', drawn without {{num_left_out:,}} {unit}'
    return PartialNotice(text=text.format(**numbers), **numbers)
