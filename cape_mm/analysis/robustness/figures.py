"""From the pairs of two runs to the figures of one row of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...evaluation.comparison import Difference, compare_pairs
from ...evaluation.results import ResultTable
from .common_points import CommonPck, common_pck, restore_order

THRESHOLD = 0.2
SAME_PLACE = 1e-3
"""Of the box's longer side: predictions that differ by less differ by rounding."""


@dataclass(frozen=True)
class Scores:
    """Pairs of one run.

    Attributes:
        pairs: of the model.
        floor: the same pairs, of the support's points copied from crop to crop.
    """

    pairs: ResultTable
    floor: ResultTable

    def restored(self, orders: Mapping[int, np.ndarray]) -> Scores:
        """With keypoints named as in the clean run."""
        return Scores(
            restore_order(self.pairs, orders), restore_order(self.floor, orders)
        )


def describe_clean(clean: Scores, num_episodes: int) -> dict[str, Any]:
    """Official figures of the clean run."""
    common = common_pck([clean.pairs, clean.floor], THRESHOLD)
    pck, floor = common.pck.mean(axis=1).tolist()
    return {
        'PCK@0.2': pck,
        'copy_support/PCK@0.2': floor,
        'num_pairs': common.pck.shape[1],
        'num_pairs_dropped': int((~clean.pairs.is_scored).sum()),
        'num_episodes': num_episodes,
        'num_categories': len(np.unique(common.category)),
    }


def compare_to_clean(
    clean: Scores,
    perturbed: Scores,
    num_resamples: int,
    seed: int,
    is_symmetry: bool = False,
) -> dict[str, Any]:
    """Figures of a perturbed run beside the clean one, on common keypoints.

    Args:
        clean: without a perturbation.
        perturbed: of the same episodes.
        num_resamples: of each bootstrap.
        seed: of the bootstrap.
        is_symmetry: say whether the prediction stayed the same.

    Returns:
        ``PCK@0.2``, ``clean`` and ``difference``; ``interval`` and ``p_value`` of the
        difference ``over_episodes`` and ``over_categories``; ``copy_support/PCK@0.2``
        under the perturbation; ``num_pairs``, ``num_pairs_left_out``, ``notes``; with
        ``is_symmetry`` also ``invariance``.
    """
    tables = [clean.pairs, perturbed.pairs, perturbed.floor]
    common = common_pck(tables, THRESHOLD)
    record: dict[str, Any] = {
        'num_pairs': common.pck.shape[1],
        'num_pairs_left_out': common.num_left_out,
        'notes': [],
    }
    if not record['num_pairs']:
        record['notes'] = ['no pair is left to compare']
        return record
    pair_of = common.episode, common.category
    comparison = compare_pairs(*common.pck[:2], *pair_of, num_resamples, seed)
    record |= {
        'PCK@0.2': comparison.over_episodes.b,
        'clean': comparison.over_episodes.a,
        'difference': comparison.over_episodes.difference,
        'copy_support/PCK@0.2': float(common.pck[2].mean()),
        'over_episodes': _uncertainty(comparison.over_episodes),
        'over_categories': _uncertainty(comparison.over_categories),
    }
    if is_symmetry:
        record['invariance'] = describe_invariance(common)
        record['notes'] = [record['invariance']['text']]
    return record


def _uncertainty(row: Difference) -> dict[str, Any] | None:
    if row.interval is None:
        return None
    low, high = row.interval
    return dict(low=low, high=high, p_value=row.p_value)


def describe_invariance(common: CommonPck) -> dict[str, Any]:
    """Whether the first two runs are the same.

    Returns:
        ``is_invariant``: every pair has the same PCK and no scored distance differs by
        more than rounding; ``num_pairs_changed``; ``largest_change`` of a distance as a
        share of the box's longer side; ``text``.
    """
    changed = int((common.pck[0] != common.pck[1]).sum())
    largest = float(np.abs(common.distance[0] - common.distance[1]).max(initial=0))
    is_invariant = not changed and largest < SAME_PLACE
    verdict = 'exactly invariant' if is_invariant else 'NOT INVARIANT'
    return dict(
        is_invariant=is_invariant,
        num_pairs_changed=changed,
        largest_change=largest,
        text=(
            f'{verdict}: PCK differs in {changed:,} of {common.pck.shape[1]:,} pairs, '
            f'a distance by {largest:.1g} of the box at most'
        ),
    )
