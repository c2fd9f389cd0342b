"""Means over pairs and where they come from: category, keypoint, visibility, threshold.

Official values count a pair without a scorable keypoint as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .results import CORRECT_THRESHOLD, PCK_KEYS, VALUE_KEYS, ResultTable

CURVE_THRESHOLDS = np.arange(51) / 100
"""Thresholds of the PCK curve, 0 to 0.5 of max(w, h)."""

VISIBILITIES = {1: 'v=1', 2: 'v=2'}
"""COCO's labels: placed but hidden in the picture, and seen."""


class OneLineDict(dict):
    """A dict that prints as one short line and copies and pickles as a plain dict.

    MMEngine's logger prints every value that a metric returns; this keeps a table of
    a hundred categories out of the log line while JSON and checkpoints get all of it.
    A ``text`` in it is printed instead of the number of entries.
    """

    def __str__(self) -> str:
        text = self.get('text', f'<{len(self)} entries>')
        return text.removeprefix('partial: ')  # the key that MMEngine prints before it

    def __reduce__(self) -> tuple:
        return dict, (dict(self),)


def mean_metrics(values: np.ndarray) -> dict[str, float]:
    """Official means over pairs, with ``mPCK5`` and ``mPCK4``; NaN without a pair.

    Args:
        values: columns in the order of ``VALUE_KEYS``, NaN counting 0, (N, V).
    """
    means = [np.nan] * len(VALUE_KEYS)
    if len(values):
        means = np.nan_to_num(values).mean(axis=0).tolist()
    metrics = dict(zip(VALUE_KEYS, means))
    num_pck = len(PCK_KEYS)
    metrics['mPCK5'] = sum(means[:num_pck]) / num_pck
    metrics['mPCK4'] = sum(means[: num_pck - 1]) / (num_pck - 1)
    return metrics


def valid_means(
    values: np.ndarray, keys: Sequence[str] = VALUE_KEYS
) -> dict[str, float]:
    """Mean over the pairs that are not empty, as ``PCK_valid@0.2``, ``AUC_valid``."""
    means = mean_metrics(values[~np.isnan(values[:, 0])])
    return {_named(key, 'valid'): means[key] for key in keys}


def macro_key(key: str) -> str:
    """Name of a value's mean over categories: ``PCK@0.2`` gives ``PCK_macro@0.2``."""
    return _named(key, 'macro')


def _named(key: str, kind: str) -> str:
    name, *threshold = key.split('@')
    return '@'.join([f'{name}_{kind}', *threshold])


def macro_means(table: ResultTable) -> dict[str, float]:
    """Mean over categories of the official values: every category weighs the same.

    Beside the official mean over pairs, from which it differs as soon as categories
    have unequal numbers of pairs.

    Returns:
        ``PCK_macro@0.2``, ``AUC_macro`` and so on, and ``mPCK5_macro``.
    """
    category, values = table.category_id[table.is_scored], table.official_values
    rows = [values[category == one].mean(axis=0) for one in np.unique(category)]
    means = np.mean(rows, axis=0).tolist()
    macro = {macro_key(key): mean for key, mean in zip(VALUE_KEYS, means)}
    macro['mPCK5_macro'] = sum(means[: len(PCK_KEYS)]) / len(PCK_KEYS)
    return macro


def by_category(table: ResultTable) -> dict[int, dict[str, Any]]:
    """Key figures of every category that occurs, by ascending id.

    Returns:
        ``PCK@0.2`` and ``mPCK5``, NaN where nothing was scored, PCK@0.2 of every floor
        under its name, ``num_pairs`` (scored) and ``num_pairs_dropped``.
    """
    rows = {}
    for category_id in np.unique(table.category_id).tolist():
        is_own = table.category_id == category_id
        is_scored = is_own & table.is_scored
        rows[category_id] = _key_figures(table.values[is_scored])
        for name, floor in table.floors.items():
            means = mean_metrics(floor.values[is_scored])
            rows[category_id][f'{name}/PCK@0.2'] = means['PCK@0.2']
        rows[category_id].update(
            num_pairs=int(is_scored.sum()),
            num_pairs_dropped=int(is_own.sum() - is_scored.sum()),
        )
    return rows


def _key_figures(values: np.ndarray) -> dict[str, Any]:
    means = mean_metrics(values)
    return {key: means[key] for key in ('PCK@0.2', 'mPCK5')}


def by_supercategory(table: ResultTable) -> dict[str, dict[str, Any]]:
    """Official PCK@0.2 and mPCK5 of every group of categories, by name.

    Returns:
        Per group ``PCK@0.2``, ``mPCK5``, ``num_categories``, ``num_pairs``; {} where
        no category names a group. Categories without one are ``'(none)'``.
    """
    if not any(table.supercategories.values()):
        return {}
    category, values = table.category_id[table.is_scored], table.values[table.is_scored]
    groups: dict[str, list[int]] = {}
    for category_id in np.unique(category).tolist():
        group = table.supercategories.get(category_id) or '(none)'
        groups.setdefault(group, []).append(category_id)
    rows = {}
    for group in sorted(groups):
        chosen = values[np.isin(category, groups[group])]
        counts = dict(num_categories=len(groups[group]), num_pairs=len(chosen))
        rows[group] = _key_figures(chosen) | counts
    return rows


def by_keypoint(table: ResultTable) -> dict[int, dict[str, list]]:
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


def by_visibility(table: ResultTable) -> dict[str, dict[str, float | int]]:
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
    table: ResultTable, thresholds: np.ndarray = CURVE_THRESHOLDS
) -> dict[str, list[float]]:
    """Official PCK as a function of the threshold, beside that of the floors.

    Args:
        table: the pairs.
        thresholds: ascending shares of max(w, h), (T,).

    Returns:
        ``thresholds``, ``PCK`` and ``<floor>/PCK``, T values each. A distance equal to
        the threshold is wrong; a pair without a scorable keypoint counts 0.
    """
    num_pairs = int(table.is_scored.sum())
    rows = table.pair_of_keypoint
    share = 1 / np.bincount(rows, minlength=len(table))[rows]  # of the pair's score

    def curve(distance: np.ndarray) -> list[float]:
        first = np.searchsorted(thresholds, distance, side='right')
        gained = np.bincount(first, share, minlength=len(thresholds) + 1)
        return (np.cumsum(gained[:-1]) / num_pairs).tolist()

    is_scored = table.points['is_scored']
    return {
        'thresholds': np.asarray(thresholds).tolist(),
        'PCK': curve(table.keypoints['distance']),
        **{
            f'{name}/PCK': curve(floor.distance[is_scored])
            for name, floor in table.floors.items()
        },
    }


def describe_partial(table: ResultTable) -> OneLineDict | None:
    """What was scored of all pairs; None if nothing was dropped or left out.

    A category counts as scored with the first of its pairs.

    Args:
        table: all planned pairs, scored and dropped.

    Returns:
        ``text``, and the numbers in it: ``num_categories``, ``num_categories_planned``,
        ``num_pairs`` and ``num_pairs_planned``.
    """
    is_scored = table.is_scored
    if is_scored.all():
        return None
    numbers = dict(
        num_categories=len(np.unique(table.category_id[is_scored])),
        num_categories_planned=len(np.unique(table.category_id)),
        num_pairs=int(is_scored.sum()),
        num_pairs_planned=len(table),
    )
    text = (
        'partial: {num_categories:,} of {num_categories_planned:,} categories, '
        '{num_pairs:,} of {num_pairs_planned:,} pairs'
    ).format(**numbers)
    return OneLineDict(text=text, **numbers)
