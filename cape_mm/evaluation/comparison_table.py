"""A comparison of two results as a text table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_NAME_WIDTH = 36
OTHER_LABELS = (
    'ANNOTATIONS DIFFER: where the files have other labels, the runs were not scored '
    'on the same truth. Score dumps of both with one file: score_dump.py'
)


def format_comparison(figures: Mapping[str, Any]) -> str:
    """Lay out what :func:`compare_results` returns as text.

    Returns:
        Lines without a trailing newline. Fractions are in percent, EPE in pixels. A
        star marks a difference whose interval leaves zero out.
    """
    scale, unit = (1, 'px') if figures['key'] == 'EPE' else (100, '%')
    width = min(max(map(len, figures['per_category'])), MAX_NAME_WIDTH)
    width = max(width, len('mean over pairs, categories drawn'))
    title, level = f'{figures["key"]} [{unit}]', 100 * figures['level']
    heads = {
        'mean over pairs, episodes drawn': figures['over_episodes'],
        'mean over pairs, categories drawn': figures['over_categories'],
        'mean over categories': figures['macro'],
    }
    won = figures['categories_won']
    return '\n'.join(
        [
            f'A: {figures["A"]}',
            f'B: {figures["B"]}',
            *(f'PARTIAL: {notice}' for notice in figures['notices']),
            *([OTHER_LABELS] if figures['same_annotations'] is False else []),
            f'{figures["num_pairs"]:,} pairs, {figures["num_resamples"]:,} resamples, '
            f'seed {figures["seed"]}',
            '',
            f'{title:<{width}}{"A":>8}{"B":>8}{"B - A":>8}'
            f'{f"{level:g} % interval":>18}{"p":>8}',
            *(_line(name, row, width, scale) for name, row in heads.items()),
            '',
            *(
                _line(name, row, width, scale)
                for name, row in figures['per_category'].items()
            ),
            '',
            f'categories won: A {won["A"]}, B {won["B"]}, equal {won["equal"]}',
        ]
    )


def _line(name: str, row: Mapping[str, Any], width: int, scale: float) -> str:
    shown = name if len(name) <= width else name[: width - 3] + '...'
    numbers = (
        f'{scale * row["A"]:>8.1f}{scale * row["B"]:>8.1f}'
        f'{scale * row["difference"]:>+8.2f}'
    )
    if row['interval'] is None:
        return f'{shown:<{width}}{numbers}{"-":>18}{"-":>8}'
    low, high = row['interval']['low'], row['interval']['high']
    ends = f'{scale * low:+.2f} to {scale * high:+.2f}'
    star = ' *' if low > 0 or high < 0 else ''
    return f'{shown:<{width}}{numbers}{ends:>18}{row["p_value"]:>8.3f}{star}'
