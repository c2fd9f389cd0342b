"""From the metrics of all folds to mean and spread, never of unlike things."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError, MissingDataError

FLOOR = 'copy_support/'
STATISTICS = ('mean', 'std', 'min', 'max')


def summarise(
    results: Mapping[int, Mapping[str, Any] | None], allow_partial: bool = False
) -> dict:
    """Aggregate the folds.

    Convention:
        - ``std`` is the sample standard deviation (n - 1); null for a single fold
        - a metric is null where a fold has no value for it

    Args:
        results: metrics of every split, None of one that is not finished.
        allow_partial: give mean and spread also where a fold is missing, or was
            measured on incomplete data.

    Returns:
        ``splits``, ``missing``, ``partial`` (by split, why), ``complete``, ``mean_of``
        (the splits behind the mean, empty where it is refused), ``protocol``,
        ``folds`` and ``metrics``: per name ``values`` by split, ``mean``, ``std``,
        ``min``, ``max``, and under ``copy_support`` the same of the floor.

    Raises:
        MissingDataError: no fold is finished.
        ConfigError: the folds were not measured alike.
    """
    finished = {split: r for split, r in results.items() if r is not None}
    if not finished:
        raise MissingDataError(
            f'none of the splits {", ".join(map(str, results))} is finished: run '
            f'tools/analysis_tools/kfold.py without --collect first'
        )
    check_comparable(finished)
    missing = [split for split in results if split not in finished]
    partial = {
        split: reason
        for split, metrics in finished.items()
        if (reason := partial_reason(metrics)) is not None
    }
    complete = not missing and not partial
    is_given = complete or allow_partial
    return dict(
        splits=list(results),
        missing=missing,
        partial=partial,
        complete=complete,
        mean_of=list(finished) if is_given else [],
        protocol=protocol_of(next(iter(finished.values()))),
        folds={split: _describe(metrics) for split, metrics in finished.items()},
        metrics=_aggregate_all(finished, is_given),
    )


def partial_reason(metrics: Mapping[str, Any]) -> str | None:
    """Why a result is not that of the complete data; None if it is."""
    partial = metrics.get('partial')
    if partial:
        text = partial.get('text') if isinstance(partial, Mapping) else None
        return str(text or partial).removeprefix('partial: ')
    dropped = metrics.get('num_pairs_dropped') or 0
    if dropped:
        total = metrics['num_pairs'] + dropped
        return f'{metrics["num_pairs"]:,} of {total:,} pairs'
    return None


def protocol_of(metrics: Mapping[str, Any]) -> dict:
    """How a fold was measured."""
    stored = (metrics.get('run') or {}).get('protocol')
    protocol = dict((metrics.get('fold') or {}).get('protocol') or {})
    return protocol if stored is None else dict(protocol, protocol=stored)


def check_comparable(finished: Mapping[int, Mapping[str, Any]]) -> None:
    """Refuse folds that do not belong together.

    Raises:
        ConfigError: protocols differ; two folds were tested on the same episodes; a
            fold was tested on categories that it was trained on.
    """
    (first, reference), *others = finished.items()
    seen: dict[str, int] = {}
    for split, metrics in finished.items():
        num_trained = metrics.get('trained_categories_in_test')
        if num_trained:
            raise ConfigError(
                f'split {split}: {num_trained} of the tested categories were trained '
                f'on, so its result says nothing about new ones'
            )
        episodes = (metrics.get('run') or {}).get('episodes_sha256')
        if episodes is not None and seen.setdefault(episodes, split) != split:
            raise ConfigError(
                f'splits {seen[episodes]} and {split} were tested on the same episodes '
                f'(episodes_sha256 {episodes[:12]}...): they are the same split. Does '
                f'--cfg-options change the data of every fold?'
            )
    for split, metrics in others:
        one, other = protocol_of(reference), protocol_of(metrics)
        keys = [k for k in {**one, **other} if one.get(k) != other.get(k)]
        if keys:
            listed = ', '.join(f'{k} {one.get(k)!r} / {other.get(k)!r}' for k in keys)
            raise ConfigError(
                f'splits {first} and {split} were measured differently: {listed}. Test '
                f'them again with the same settings.'
            )


def _describe(metrics: Mapping[str, Any]) -> dict:
    run = metrics.get('run') or {}
    keys = ('checkpoint', 'episodes_sha256', 'cape_mm_version')
    counts = ('num_pairs', 'num_pairs_dropped', 'num_categories')
    return {k: run[k] for k in keys if k in run} | {
        k: metrics[k] for k in counts if k in metrics
    }


def _aggregate_all(finished: Mapping[int, Mapping[str, Any]], is_given: bool) -> dict:
    names = [
        name
        for name in next(iter(finished.values()))
        if not name.startswith((FLOOR, 'num_')) and _is_value(finished, name)
    ]
    table = {}
    for name in names:
        table[name] = _aggregate(finished, name, is_given)
        if _is_value(finished, FLOOR + name):
            floor = _aggregate(finished, FLOOR + name, is_given)
            table[name]['copy_support'] = floor
    return table


def _is_value(finished: Mapping[int, Mapping[str, Any]], name: str) -> bool:
    """Whether all folds have the metric, as a number or, at times, undefined: null."""
    kinds = {type(metrics.get(name, '')) for metrics in finished.values()}
    return kinds <= {int, float, type(None)} and kinds != {type(None)}


def _aggregate(
    finished: Mapping[int, Mapping[str, Any]], name: str, is_given: bool
) -> dict:
    by_split = {split: metrics[name] for split, metrics in finished.items()}
    values = list(by_split.values())
    result = dict.fromkeys(STATISTICS)
    if is_given and None not in values:
        result.update(mean=statistics.fmean(values), min=min(values), max=max(values))
        result['std'] = statistics.stdev(values) if len(values) > 1 else None
    return dict(values=by_split, **result)
