"""Where a result comes from: by group, by keypoint, by visibility, by threshold."""

from __future__ import annotations

import numpy as np

from .functional import PCK_THRESHOLDS
from .pair_records import PCK_KEYS, VALUE_KEYS
from .pair_table import PairTable
from .score_records import CORRECT_THRESHOLD

CURVE_THRESHOLDS = np.arange(51) / 100
"""Thresholds of the PCK curve, 0 to 0.5 of max(w, h)."""

VISIBILITIES = {1: 'v=1', 2: 'v=2'}
"""COCO's labels: placed but hidden in the picture, and seen."""

PCK_COLUMN = VALUE_KEYS.index(f'PCK@{CORRECT_THRESHOLD:g}')


def category_means(table: PairTable) -> dict[int, np.ndarray]:
    """Official values of every category that has a scored pair, by ascending id.

    Returns:
        float64 (V,) in the order of ``VALUE_KEYS``, by category id.
    """
    category, values = table.category_id[table.is_scored], table.official_values
    return {
        int(category_id): values[category == category_id].mean(axis=0)
        for category_id in np.unique(category)
    }


def macro_means(table: PairTable) -> dict[str, float]:
    """Mean over categories of the official values: every category weighs the same.

    Beside the official mean over pairs, from which it differs as soon as a category
    lost pairs.

    Returns:
        ``PCK_macro@0.2``, ``AUC_macro`` and so on, and ``mPCK5_macro``.
    """
    means = np.mean(list(category_means(table).values()), axis=0).tolist()
    macro = {macro_key(key): mean for key, mean in zip(VALUE_KEYS, means)}
    macro['mPCK5_macro'] = sum(means[: len(PCK_KEYS)]) / len(PCK_KEYS)
    return macro


def macro_key(key: str) -> str:
    """Name of a value's mean over categories: ``PCK@0.2`` gives ``PCK_macro@0.2``."""
    name, *threshold = key.split('@')
    return '@'.join([f'{name}_macro', *threshold])


def by_supercategory(table: PairTable) -> dict[str, dict[str, float | int]]:
    """Official PCK@0.2 and mPCK5 of every group of categories, by name.

    Returns:
        Per group ``PCK@0.2``, ``mPCK5``, ``num_categories``, ``num_pairs``; {} where
        no category names a group. Categories without one are ``'(none)'``.
    """
    if not any(table.supercategories.values()):
        return {}
    category, values = table.category_id[table.is_scored], table.official_values
    groups: dict[str, list[int]] = {}
    for category_id in np.unique(category).tolist():
        group = table.supercategories.get(category_id) or '(none)'
        groups.setdefault(group, []).append(category_id)
    rows = {}
    for group in sorted(groups):
        chosen = values[np.isin(category, groups[group])]
        means = chosen.mean(axis=0)
        rows[group] = {
            'PCK@0.2': float(means[PCK_COLUMN]),
            'mPCK5': float(means[: len(PCK_THRESHOLDS)].mean()),
            'num_categories': len(groups[group]),
            'num_pairs': len(chosen),
        }
    return rows


def by_keypoint(table: PairTable) -> dict[int, dict[str, list]]:
    """PCK@0.2 of every keypoint of every category, over the pairs that score it.

    Returns:
        By category id ``PCK@0.2`` and ``num_scored``, each K long in the order of the
        annotation file; None for a keypoint that no pair scored.
    """
    keypoints = table.keypoints
    category = table.category_id[table.pair_of_keypoint]
    is_correct = keypoints['distance'] < CORRECT_THRESHOLD
    rows = {}
    for category_id in np.unique(table.category_id[table.is_scored]).tolist():
        is_own = category == category_id
        index = keypoints['index'][is_own].astype(np.int64)
        size = table.num_keypoints.get(category_id, 0)
        count = np.bincount(index, minlength=size)
        correct = np.bincount(index, is_correct[is_own], minlength=size)
        pairs = zip(correct.tolist(), count.tolist())
        rows[category_id] = {
            'PCK@0.2': [total / num if num else None for total, num in pairs],
            'num_scored': count.tolist(),
        }
    return rows


def by_visibility(table: PairTable) -> dict[str, dict[str, float | int]]:
    """PCK of the keypoints that the query shows and of those it hides.

    All scored keypoints of all pairs alike, since most pairs have few hidden ones.

    Returns:
        For ``'v=1'`` (labelled, but hidden) and ``'v=2'`` (seen), as far as they occur,
        ``PCK@0.05``, ``PCK@0.2`` and ``num_keypoints``; {} where the data do not tell.
    """
    rows = {}
    for visibility, name in VISIBILITIES.items():
        is_own = table.keypoints['visibility'] == visibility
        distance = table.keypoints['distance'][is_own]
        if len(distance):
            rows[name] = {
                'PCK@0.05': float((distance < 0.05).mean()),
                'PCK@0.2': float((distance < CORRECT_THRESHOLD).mean()),
                'num_keypoints': len(distance),
            }
    return rows


def pck_curve(
    table: PairTable, thresholds: np.ndarray = CURVE_THRESHOLDS
) -> dict[str, list[float]]:
    """Official PCK as a function of the threshold, beside the copied support's.

    Args:
        table: the pairs.
        thresholds: ascending shares of max(w, h), (T,).

    Returns:
        ``thresholds``, ``PCK`` and ``copy_support/PCK``, T values each. A distance
        equal to the threshold is wrong; a pair without a scorable keypoint counts 0.
    """
    num_pairs = int(table.is_scored.sum())
    rows = table.pair_of_keypoint
    share = 1 / np.bincount(rows, minlength=len(table))[rows]  # of the pair's score

    def curve(distance: np.ndarray) -> list[float]:
        first = np.searchsorted(thresholds, distance, side='right')
        gained = np.bincount(first, share, minlength=len(thresholds) + 1)
        return (np.cumsum(gained[:-1]) / num_pairs).tolist()

    return {
        'thresholds': np.asarray(thresholds).tolist(),
        'PCK': curve(table.keypoints['distance']),
        'copy_support/PCK': curve(table.keypoints['floor']),
    }
