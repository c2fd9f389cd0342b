"""The numbers of one ``EpisodePCK`` among all that an evaluator returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ConfigError
from ...evaluation.report import COUNT_KEYS, ROW_KEYS

MARK = 'num_pairs'
"""A key that every ``EpisodePCK`` returns."""


def split_metrics(
    metrics: Mapping[str, Any], source: str = 'the test'
) -> tuple[dict[str, Any], dict[str, float]]:
    """Take the first ``EpisodePCK`` out of what may be several metrics.

    Args:
        metrics: as an evaluator returns them, or a metrics file holds them.
        source: where they come from, for the message.

    Returns:
        Its metrics without their prefix, and the numbers of all others.

    Raises:
        ConfigError: there is none.
    """
    prefixes = [
        key.removesuffix(MARK)
        for key in metrics
        if key == MARK or key.endswith(f'/{MARK}')
    ]
    own = _strip(metrics, prefixes) if prefixes else {}
    if not _is_episode_pck(own):
        raise ConfigError(
            f'a report is made of the numbers of EpisodePCK, but {source} does not '
            f"have them all. Test with test_evaluator=dict(type='EpisodePCK')."
        )
    others = {
        key: value
        for key, value in metrics.items()
        if isinstance(value, (int, float)) and key.removeprefix(prefixes[0]) not in own
    }
    return own, others


def _strip(metrics: Mapping[str, Any], prefixes: Sequence[str]) -> dict[str, Any]:
    """What belongs to the first prefix and not to another one below it."""
    first = prefixes[0]
    below = tuple(other for other in prefixes[1:] if other.startswith(first))
    return {
        key.removeprefix(first): value
        for key, value in metrics.items()
        if key.startswith(first) and not key.startswith(below)
    }


def _is_episode_pck(metrics: Mapping[str, Any]) -> bool:
    rows = metrics.get('per_category') or {}
    return (
        metrics.keys() >= COUNT_KEYS | {'PCK@0.2'}
        and all(row.keys() >= ROW_KEYS for row in rows.values())
        and all(name.split(' ', 1)[0].lstrip('-').isdigit() for name in rows)
    )


def run_of(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What metrics were measured on and with, as a test keeps it beside them."""
    run = dict(metrics.get('run') or {})
    if 'trained_categories_in_test' in metrics:
        run['trained_categories_in_test'] = metrics['trained_categories_in_test']
    return run
