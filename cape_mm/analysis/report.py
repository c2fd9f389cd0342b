"""The page about a test: tables, curves, the best and the worst episodes.

It needs nothing else: no network, no other file. All numbers are those of the metrics
and of the table of pairs; the page is laid out by ``report.html.j2``.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from mmengine.runner import Runner

from ..datasets import MP100EpisodeDataset
from ..errors import ConfigError, MissingDataError
from ..evaluation import EpisodePCK, PredictionDump
from ..evaluation.breakdowns import named
from ..evaluation.report import CONFIDENCE_PARTS, COUNT_KEYS, OVERALL_ROWS, ROW_KEYS
from ..evaluation.result_file import read_results, results_path
from ..evaluation.results import ResultTable
from ..utils.atomic_write import try_folder, write_text_atomically
from ..utils.json_file import read_json
from .report_curves import (
    pck_curve,
    reliability_diagram,
    risk_curve,
    scored_confidences,
)
from .report_episodes import choose_episodes, draw_chosen

PAGE_NAME = 'report.html'
PCK, FLOOR = 'PCK@0.2', 'copy_support/PCK@0.2'
FLOORS = {'copy_support': 'copy support', 'matching': 'matching'}
"""Names by the prefix of their metrics; the second only of models with a matcher."""
MARK = 'num_pairs'
"""A key that every ``EpisodePCK`` returns."""
UNPRINTABLE = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]')
CONFIDENCE_MEANINGS = {
    'mean_confidence': 'of all scored keypoints',
    'ECE@0.2': 'expected calibration error: 0 is best',
    'Brier@0.2': 'mean squared error of the confidence: 0 is best',
    'AURC@0.2': 'area under the risk-coverage curve: 0 is best',
    'visibility_AUROC': 'predicted visibility: 0.5 is chance, 1 is best',
}

Metrics = Mapping[str, Any]


def check_report(runner: Runner, folder: str | Path | None) -> None:
    """Refuse, before a long test, what no report could be made of.

    Args:
        runner: of the test.
        folder: of the report, made where needed; None: no report, nothing to check.

    Raises:
        ConfigError: nothing can be written there, or no metric is an
            :class:`EpisodePCK`.
    """
    if folder is None:
        return
    try_folder(folder, '--report')
    metrics = runner.test_loop.evaluator.metrics
    if not any(isinstance(metric, EpisodePCK) for metric in metrics):
        found = [type(m).__name__ for m in metrics if not isinstance(m, PredictionDump)]
        raise ConfigError(
            f"--report needs test_evaluator=dict(type='EpisodePCK'), whose numbers it "
            f'shows; the config has {", ".join(found) or "none"}'
        )


def report_test(runner: Runner, metrics: Metrics, folder: str | Path) -> Path:
    """Write the report of a finished test; on the main process only.

    Args:
        runner: after its test, with an evaluator that kept the predictions.
        metrics: what the test returned, with its ``run``.
        folder: of the report.

    Returns:
        Path of the page.
    """
    dataset = runner.test_loop.dataloader.dataset
    parts = runner.test_evaluator.metrics
    (kept, *_) = (part for part in parts if isinstance(part, PredictionDump))
    (metric, *_) = (part for part in parts if isinstance(part, EpisodePCK))
    pictures, names = {}, {}
    if isinstance(dataset, MP100EpisodeDataset):
        choices = choose_episodes(metric.pairs)
        chosen = [one for some in choices.values() for one in some]
        pictures = draw_chosen(chosen, kept.entries, dataset)
        categories = dataset.categories.values()
        names = {category.id: category.keypoint_names for category in categories}
    text = render(metrics, metric.pairs, pictures, names, runner.cfg.pretty_text)
    return write_text_atomically(Path(folder) / PAGE_NAME, text)


def report_stored(result: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a finished test without its model; it has no pictures.

    Args:
        result: metrics file of a test, or the folder with ``metrics.json``.
        out: folder of the report; default ``report`` beside the metrics file.

    Returns:
        Path of the page.

    Raises:
        MissingDataError: a file does not exist.
        AnnotationFormatError: a file is damaged.
        ConfigError: the metrics are not those of ``EpisodePCK``, or nothing can be
            written in the folder.
    """
    path = Path(result)
    path = path / 'metrics.json' if path.is_dir() else path
    if not path.is_file():
        raise MissingDataError(
            f'no metrics file {path}. tools/test.py writes one; name it, or its folder.'
        )
    metrics = read_json(path, 'a metrics file')
    _, prefix = own_metrics(metrics, str(path))
    folder = try_folder(path.parent / 'report' if out is None else out)
    beside = results_path(path)
    if prefix:
        beside = beside.with_name(f'{prefix}.{beside.name}')
    table = read_results(beside).table if beside.is_file() else None
    return write_text_atomically(folder / PAGE_NAME, render(metrics, table))


def own_metrics(metrics: Metrics, source: str = 'the test') -> tuple[dict, str]:
    """The numbers of the first ``EpisodePCK`` among what may be several metrics.

    Args:
        metrics: as an evaluator returns them, or a metrics file holds them.
        source: where they come from, for the message.

    Returns:
        Its metrics without their prefix, and the prefix.

    Raises:
        ConfigError: there is none.
    """
    prefixes = [key.removesuffix(MARK) for key in metrics if key.split('/')[-1] == MARK]
    own: dict[str, Any] = {}
    if prefixes:
        first = prefixes[0]
        below = tuple(p for p in prefixes[1:] if p.startswith(first))
        own = {
            key.removeprefix(first): value
            for key, value in metrics.items()
            if key.startswith(first) and not (below and key.startswith(below))
        }
    rows = (own.get('per_category') or {}).values()
    if not (own.keys() >= COUNT_KEYS | {PCK}) or any(r.keys() < ROW_KEYS for r in rows):
        raise ConfigError(
            f'a report is made of the numbers of EpisodePCK, but {source} does not '
            f"have them all. Test with test_evaluator=dict(type='EpisodePCK')."
        )
    return own, prefixes[0].rstrip('/')


def render(
    metrics: Metrics,
    table: ResultTable | None = None,
    pictures: Mapping[tuple[int, int], bytes | str] | None = None,
    keypoint_names: Mapping[int, Sequence[str]] | None = None,
    config_text: str = '',
) -> str:
    """The page's text; any text in it is escaped, whatever it holds.

    Args:
        metrics: of a test, with ``run``.
        table: the pairs; None where they are not known.
        pictures: of pairs, by (episode_index, slot): JPEG files, or why there is none.
        keypoint_names: by category id, as far as known.
        config_text: the whole config.
    """
    own, prefix = own_metrics(metrics)
    run = dict(metrics.get('run') or {})
    if 'trained_categories_in_test' in metrics:
        run['trained_categories_in_test'] = metrics['trained_categories_in_test']
    curves: dict[str, bytes] = {}
    if own.get('pck_curve'):
        curves['threshold'] = pck_curve(own['pck_curve'])
    found = scored_confidences(table) if table is not None else None
    if found is not None:
        curves |= dict(reliability=reliability_diagram(*found), risk=risk_curve(*found))
    others = {
        key: value
        for key, value in metrics.items()
        if isinstance(value, (int, float)) and key.removeprefix(f'{prefix}/') not in own
    }
    return (
        _environment()
        .get_template('report.html.j2')
        .render(
            title=f'Evaluation of {Path(str(run.get("config", "a model"))).stem}',
            created=datetime.now().astimezone().strftime('%Y-%m-%d %H:%M:%S %z'),
            metrics=own,
            run=run,
            warnings=find_warnings(own, run),
            overall=overall_rows(own),
            intervals=own.get('confidence_intervals') or {},
            confidence=confidence_rows(own),
            curves=curves,
            episodes=None if table is None else choose_episodes(table),
            category_names={} if table is None else table.category_names,
            keypoint_names=keypoint_names or {},
            pictures=pictures or {},
            other_numbers=others,
            config_text=config_text,
            floors={k: v for k, v in FLOORS.items() if f'{k}/{PCK}' in own},
            PCK=PCK,
        )
    )


def find_warnings(metrics: Metrics, run: Metrics) -> list[str]:
    """What a reader must know before the first number."""
    found = []
    if metrics.get('partial'):
        text = metrics['partial']['text']
        reasons = metrics.get('dropped_by_reason') or {}
        listed = ', '.join(f'{reason}: {count:,}' for reason, count in reasons.items())
        found.append(
            f'{text[0].upper()}{text[1:]}{f" ({listed})" if listed else ""}. Do not '
            f'compare this result with published numbers.'
        )
    if run.get('num_missing_images'):
        found.append(f'{run["num_missing_images"]:,} image files are missing.')
    if run.get('trained_categories_in_test'):
        found.append(
            f'The model was trained on {run["trained_categories_in_test"]} of the '
            f'tested categories: they are not novel to it.'
        )
    gaps = (run.get('trained_on') or {}).get('partial')
    if gaps:
        found.append(f'The model was trained on partial data: {gaps}.')
    if metrics.get('num_pairs_empty'):
        found.append(
            f'{metrics["num_pairs_empty"]:,} scored pairs share no visible keypoint: '
            f'they count 0 in PCK and are left out of the valid pairs.'
        )
    rows = metrics.get('per_category') or {}
    lost = [name for name, row in rows.items() if _is_missing(row[PCK])]
    if lost:
        found.append(
            f'Nothing was scored of {len(lost)} of {len(rows)} categories: '
            f'{", ".join(lost)}.'
        )
    if metrics.get(FLOOR) is not None and metrics[PCK] <= metrics[FLOOR]:
        found.append(
            'The model is not better than copying the points of the support, which '
            'looks at no image.'
        )
    matching = metrics.get(f'matching/{PCK}')
    if matching is not None and metrics[PCK] <= matching:
        found.append(
            'The model is not better than matching the features of its backbone, '
            'which learns nothing.'
        )
    return found


def overall_rows(metrics: Metrics) -> list[tuple[str, float, str]]:
    """Key, factor and unit of every official value, with the means over categories."""
    keys = [*OVERALL_ROWS, named(PCK, 'macro'), named('mPCK5', 'macro')]
    known = (key for key in keys if key in metrics)
    return [(k, 1, 'px') if k == 'EPE' else (k, 100, '%') for k in known]


def confidence_rows(metrics: Metrics) -> list[tuple[str, str, str]]:
    """Name, value and meaning of what the confidences are worth."""
    return [
        (
            key.replace('_', ' '),
            f'{scale * metrics[key]:.{1 if unit else 3}f}{unit}',
            CONFIDENCE_MEANINGS[key],
        )
        for key, scale, unit in CONFIDENCE_PARTS
        if not _is_missing(metrics.get(key))
    ]


def _is_missing(value: float | None) -> bool:
    """NaN in Python, null in a metrics file."""
    return value is None or math.isnan(value)


def _environment() -> jinja2.Environment:
    """Jinja with every value escaped, and the filters of the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
    )
    environment.filters.update(
        number=_number,
        above=_above,
        interval=_interval,
        in_line=_in_line,
        data_uri=_data_uri,
    )
    return environment


def _printable(value: object) -> object:
    """A text without characters that a UTF-8 page may not hold."""
    if type(value) is not str:  # what a macro made is printable already
        return value
    return UNPRINTABLE.sub('\N{REPLACEMENT CHARACTER}', value)


def _number(value: float | None, scale: float = 100, sign: str = '') -> str:
    return '-' if _is_missing(value) else f'{scale * value:{sign}.1f}'


def _above(value: float | None, other: float | None, scale: float = 100) -> str:
    """How much a value is above another, with its sign."""
    is_missing = _is_missing(value) or _is_missing(other)
    return '-' if is_missing else _number(value - other, scale, '+')


def _interval(ends: Mapping[str, float] | None, scale: float = 100) -> str:
    if not ends or _is_missing(ends.get('low')) or _is_missing(ends.get('high')):
        return '-'
    return f'{scale * ends["low"]:.1f} to {scale * ends["high"]:.1f}'


def _in_line(value: object) -> str:
    """A value of any type in one line."""
    if isinstance(value, Mapping):
        return '; '.join(f'{key}: {_in_line(part)}' for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ', '.join(map(_in_line, value))
    return str(value)


def _data_uri(content: bytes, media_type: str) -> str:
    return f'data:{media_type};base64,{base64.b64encode(content).decode("ascii")}'
