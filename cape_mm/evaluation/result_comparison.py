"""Two results side by side, on the same frozen episodes only."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from .bootstrap import LEVEL, NUM_RESAMPLES
from .comparison_table import format_comparison
from .pair_file import StoredPairs, read_pairs
from .pair_statistics import RESAMPLED_KEYS, resampled_values
from .paired_comparison import Comparison, Difference, compare_pairs
from .report import write_metrics

LOWER_IS_BETTER = {'NME', 'EPE'}


def compare_results(
    first: str | Path,
    second: str | Path,
    key: str = 'PCK@0.2',
    common_pairs: bool = False,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
    out: str | Path | None = None,
) -> dict[str, Any]:
    """Compare two results pair by pair, print the table and write it on request.

    Args:
        first: A: a file of pairs, the metrics file beside it, or their folder.
        second: B, likewise.
        key: one of ``RESAMPLED_KEYS``.
        common_pairs: where a run lost pairs, compare those that both scored.
        num_resamples: of each bootstrap.
        seed: of the bootstrap's own generator.
        out: JSON file for the figures.

    Returns:
        The figures: ``over_episodes``, ``over_categories``, ``macro``,
        ``per_category``, ``categories_won`` and what was compared;
        ``same_annotations`` is False where the annotation files differ.

    Raises:
        MissingDataError: there is no file of pairs.
        AnnotationFormatError: it is damaged.
        ConfigError: the runs are not of the same episodes, one of them lost pairs and
            ``common_pairs`` is not set, or an argument makes no sense.
    """
    if key not in RESAMPLED_KEYS:
        raise ConfigError(f'unknown value {key!r}; choose {", ".join(RESAMPLED_KEYS)}')
    if num_resamples < 1:
        raise ConfigError(f'num_resamples must be at least 1, got {num_resamples}')
    runs = read_pairs(first), read_pairs(second)
    check_same_episodes(*runs)
    rows, notices = match_pairs(*runs, common_pairs=common_pairs)
    column = RESAMPLED_KEYS.index(key)
    values = [
        resampled_values(np.nan_to_num(run.table.values[chosen]))[:, column]
        for run, chosen in zip(runs, rows)
    ]
    table = runs[0].table
    comparison = compare_pairs(
        *values,
        table.episode_index[rows[0]],
        table.category_id[rows[0]],
        num_resamples,
        seed,
    )
    names = {**runs[1].table.category_names, **table.category_names}
    figures = _figures(comparison, key, names)
    figures.update(A=str(runs[0].path), B=str(runs[1].path), notices=notices)
    figures['same_annotations'] = has_same_annotations(*runs)
    figures.update(key=key, num_resamples=num_resamples, seed=seed, level=LEVEL)
    print(format_comparison(figures))
    if out is not None:
        print(f'comparison: {write_metrics(figures, out)}')
    return figures


def check_same_episodes(first: StoredPairs, second: StoredPairs) -> None:
    """Refuse two runs on other episodes.

    Raises:
        ConfigError: the hashes of their episodes differ, or one has none.
    """
    hashes = [run.run.get('episodes_sha256') for run in (first, second)]
    if None in hashes:
        run = (first, second)[hashes.index(None)]
        raise ConfigError(
            f'{run.path} does not say which episodes were evaluated (no '
            f'"episodes_sha256" in its "run"): test with a sampler of fixed episodes.'
        )
    if hashes[0] != hashes[1]:
        raise ConfigError(
            f'the two results are of different episodes, so no pair of one belongs to '
            f'a pair of the other: {first.path} has episodes_sha256 {hashes[0]}, '
            f'{second.path} has {hashes[1]}. Test both on the same annotation file '
            f'with the same num_shots, num_queries, episodes_per_category and draw.'
        )


def has_same_annotations(first: StoredPairs, second: StoredPairs) -> bool | None:
    """Whether two runs read the same annotation file; None where one does not say.

    A file with other skeletons has the same labels, so this is no reason to refuse.
    """
    hashes = [run.run.get('annotations_sha256') for run in (first, second)]
    return None if None in hashes else hashes[0] == hashes[1]


def match_pairs(
    first: StoredPairs, second: StoredPairs, common_pairs: bool
) -> tuple[tuple[np.ndarray, np.ndarray], list[str]]:
    """Rows of the pairs that both runs scored, in the same order.

    Args:
        first: A.
        second: B.
        common_pairs: go on where a run lost pairs.

    Returns:
        Rows of A and rows of B, and a notice per run that lost pairs.

    Raises:
        ConfigError: a run lost pairs and ``common_pairs`` is False, no pair is left,
            or a pair is of different categories.
    """
    places = [_scored_places(run) for run in (first, second)]
    common = sorted(places[0].keys() & places[1].keys())
    notices = [
        _describe_lost(label, run, other)
        for label, run, other in (('A', first, second), ('B', second, first))
        if _lost_keys(run, other)
    ]
    if notices and not common_pairs:
        raise ConfigError(
            f'{"; ".join(notices)}. Their means are not over the same pairs. '
            f'--common-pairs compares the {len(common):,} that both scored.'
        )
    if not common:
        raise ConfigError(
            f'{first.path} and {second.path} have no scored pair in common'
        )
    rows = tuple(np.array([place[key] for key in common]) for place in places)
    differs = first.table.category_id[rows[0]] != second.table.category_id[rows[1]]
    if differs.any():
        raise ConfigError(
            f'{int(differs.sum())} pairs are of one category in {first.path} and of '
            f'another in {second.path}, though their episodes have the same hash: one '
            f'of the files was changed by hand'
        )
    return rows, notices


def _scored_places(run: StoredPairs) -> dict[tuple[int, int], int]:
    is_scored = run.table.is_scored
    return {key: row for row, key in enumerate(_keys(run)) if is_scored[row]}


def _lost_keys(run: StoredPairs, other: StoredPairs) -> set[tuple[int, int]]:
    """Pairs that a run should have scored, but has not."""
    theirs = {key for key in _keys(other) if key[0] >= 0}  # below: of no episode
    return (theirs | set(_keys(run))) - _scored_places(run).keys()


def _keys(run: StoredPairs) -> list[tuple[int, int]]:
    table = run.table
    return list(zip(table.episode_index.tolist(), table.slot.tolist()))


def _describe_lost(label: str, run: StoredPairs, other: StoredPairs) -> str:
    lost = _lost_keys(run, other)
    reasons = Counter(run.table.drop_reason[~run.table.is_scored].tolist())
    num_unknown = len(lost) - sum(reasons.values())
    if num_unknown:
        reasons['not recorded'] = num_unknown
    listed = ', '.join(f'{reason}: {num:,}' for reason, num in reasons.most_common())
    return (
        f'{label} ({run.path}) is partial, {len(lost):,} pairs are missing ({listed})'
    )


def _figures(comparison: Comparison, key: str, names: dict[int, str]) -> dict[str, Any]:
    higher_is_better = key not in LOWER_IS_BETTER
    return dict(
        num_pairs=comparison.num_pairs,
        over_episodes=_row(comparison.over_episodes),
        over_categories=_row(comparison.over_categories),
        macro=_row(comparison.macro),
        categories_won=comparison.count_categories(higher_is_better),
        per_category={
            f'{category_id} {names.get(category_id, "")}'.strip(): _row(row)
            for category_id, row in comparison.per_category.items()
        },
    )


def _row(row: Difference) -> dict[str, Any]:
    ends = None if row.interval is None else dict(zip(('low', 'high'), row.interval))
    return dict(
        A=row.a,
        B=row.b,
        difference=row.difference,
        interval=ends,
        p_value=row.p_value,
    )
