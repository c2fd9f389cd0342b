"""Two results side by side, on the same frozen episodes only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..evaluation.bootstrap import (
    LEVEL,
    NUM_RESAMPLES,
    RESAMPLED_KEYS,
    compare_pairs,
    resampled_values,
)
from ..evaluation.report import (
    format_columns,
    is_lower_better,
    shorten,
    write_metrics,
)
from ..evaluation.result_file import StoredResults, read_results
from ..evaluation.results import common_rows
from ..utils.value_checks import check_at_least, check_choice

OTHER_LABELS = (
    'ANNOTATIONS DIFFER: where the files have other labels, the runs were not scored '
    'on the same truth. Score both again with one file: rescore.py'
)


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
        first: A: a file of results, the metrics file beside it, or their folder.
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
        MissingDataError: there is no file of results.
        AnnotationFormatError: it is damaged.
        ConfigError: the runs are not of the same episodes, one of them lost pairs and
            ``common_pairs`` is not set, or an argument makes no sense.
    """
    check_choice('key', key, RESAMPLED_KEYS)
    check_at_least('num_resamples', num_resamples, 1)
    runs = read_results(first), read_results(second)
    check_same_episodes(*runs)
    rows, lost_pairs = match_pairs(*runs, common_pairs=common_pairs)
    column = RESAMPLED_KEYS.index(key)
    values = [
        resampled_values(np.nan_to_num(run.table.values[chosen]))[:, column]
        for run, chosen in zip(runs, rows)
    ]
    table = runs[0].table
    pairs = table.episode_index[rows[0]], table.category_id[rows[0]]
    found = compare_pairs(*values, *pairs, num_resamples, seed)
    names = {**runs[1].table.category_names, **table.category_names}
    hashes = [run.run.get('annotations_sha256') for run in runs]
    sign = -1 if is_lower_better(key) else 1
    gains = [
        sign * np.sign(row['difference']) for row in found['per_category'].values()
    ]
    figures = dict(
        found,
        num_pairs=len(rows[0]),
        categories_won=dict(A=gains.count(-1), B=gains.count(1), equal=gains.count(0)),
        per_category={
            f'{category_id} {names.get(category_id, "")}'.strip(): row
            for category_id, row in found['per_category'].items()
        },
        **dict(A=str(runs[0].path), B=str(runs[1].path), lost_pairs=lost_pairs),
        # a file with other skeletons has the same labels: no reason to refuse
        same_annotations=None if None in hashes else hashes[0] == hashes[1],
        **dict(key=key, num_resamples=num_resamples, seed=seed, level=LEVEL),
    )
    print(format_comparison(figures))
    if out is not None:
        print(f'comparison: {write_metrics(figures, out)}')
    return figures


def check_same_episodes(first: StoredResults, second: StoredResults) -> None:
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


def match_pairs(
    first: StoredResults, second: StoredResults, common_pairs: bool
) -> tuple[list[np.ndarray], list[str]]:
    """Rows of the pairs that both runs scored, in the same order.

    Args:
        first: A.
        second: B.
        common_pairs: go on where a run lost pairs.

    Returns:
        Rows of A and rows of B, and a sentence per run that lost pairs.

    Raises:
        ConfigError: a run lost pairs and ``common_pairs`` is False, or no pair is left.
    """
    rows = common_rows(first.table, second.table)
    lost_pairs = [
        text
        for label, run, other in (('A', first, second), ('B', second, first))
        if (text := _describe_lost(label, run, other)) is not None
    ]
    if lost_pairs and not common_pairs:
        raise ConfigError(
            f'{"; ".join(lost_pairs)}. Their means are not over the same pairs. '
            f'--common-pairs compares the {len(rows[0]):,} that both scored.'
        )
    if not len(rows[0]):
        raise ConfigError(
            f'{first.path} and {second.path} have no scored pair in common'
        )
    return rows, lost_pairs


def _describe_lost(label: str, run: StoredResults, other: StoredResults) -> str | None:
    """Pairs that a run should have scored, but has not, by reason; None without any."""
    table = run.table
    own, theirs = (
        set(zip(one.episode_index.tolist(), one.slot.tolist()))
        for one in (table, other.table)
    )
    theirs = {key for key in theirs if key[0] >= 0}  # below: of no episode
    num_lost = len((own | theirs) - table.scored_rows().keys())
    if not num_lost:
        return None
    reasons = Counter(table.drop_reason[~table.is_scored].tolist())
    reasons['not recorded'] = num_lost - reasons.total()
    listed = ', '.join(f'{reason}: {num:,}' for reason, num in (+reasons).most_common())
    return f'{label} ({run.path}) is partial, {num_lost:,} pairs are missing ({listed})'


def format_comparison(figures: Mapping[str, Any]) -> str:
    """Lay out what :func:`compare_results` returns as text.

    Returns:
        Lines without a trailing newline. Fractions are in percent, EPE in pixels. A
        star marks a difference whose interval leaves zero out.
    """
    scale, unit = (1, 'px') if figures['key'] == 'EPE' else (100, '%')
    rows = {
        'mean over pairs, episodes drawn': figures['over_episodes'],
        'mean over pairs, categories drawn': figures['over_categories'],
        'mean over categories': figures['macro'],
        **{shorten(name): row for name, row in figures['per_category'].items()},
    }
    title = f'{figures["key"]} [{unit}]'
    ends = f'{100 * figures["level"]:g} % interval'
    won = figures['categories_won']
    head = [
        f'A: {figures["A"]}',
        f'B: {figures["B"]}',
        *(f'PARTIAL: {text}' for text in figures['lost_pairs']),
        *([OTHER_LABELS] if figures['same_annotations'] is False else []),
        f'{figures["num_pairs"]:,} pairs, {figures["num_resamples"]:,} resamples, '
        f'seed {figures["seed"]}',
    ]
    lines = [[name, *difference_cells(row, scale)] for name, row in rows.items()]
    table = format_columns(lines, [title, 'A', 'B', 'B - A', ends, 'p', ''])
    end = f'categories won: A {won["A"]}, B {won["B"]}, equal {won["equal"]}'
    return '\n'.join([*head, '', table, '', end])


def difference_cells(row: Mapping[str, Any], scale: float = 100) -> list[str]:
    """A comparison as cells: A, B, B - A, its interval, p, a star if it is clear."""
    cells = [f'{scale * row["A"]:.1f}', f'{scale * row["B"]:.1f}']
    cells.append(f'{scale * row["difference"]:+.2f}')
    if row['interval'] is None:
        return [*cells, '-', '-', '']
    low, high = row['interval']['low'], row['interval']['high']
    ends = f'{scale * low:+.2f} to {scale * high:+.2f}'
    return [*cells, ends, f'{row["p_value"]:.3f}', '*' if low > 0 or high < 0 else '']
