"""The page about a test: tables, curves, the best and the worst episodes.

It needs nothing else: no network, no other file. All numbers are those of the metrics
and of the table of pairs; the page is laid out by ``report.html.j2``.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from mmengine.runner import Runner

from ..datasets import MP100EpisodeDataset
from ..errors import ConfigError
from ..evaluation import EpisodePCK
from ..evaluation.breakdowns import macro_key
from ..evaluation.calibration import scored_confidences
from ..evaluation.report import (
    OVERALL_ROWS,
    confidence_parts,
    describe_gaps,
    is_missing,
    show_gain,
    show_interval,
    show_number,
)
from ..evaluation.results import ResultTable
from ..utils.atomic_write import try_folder, write_bytes_atomically
from .report_pictures import (
    choose_episodes,
    draw_chosen,
    pck_curve,
    reliability_diagram,
    risk_curve,
)

PAGE_NAME = 'report.html'
PCK = 'PCK@0.2'
FLOORS = {'copy_support': 'copy support', 'matching': 'matching'}
"""Names by the prefix of their metrics; the second only of models with a matcher."""
NO_BETTER = {
    'copy_support': 'copying the points of the support, which looks at no image',
    'matching': 'matching the features of its backbone, which learns nothing',
}
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
    try_folder(folder, 'report')
    metrics = runner.test_loop.evaluator.metrics
    if not any(isinstance(metric, EpisodePCK) for metric in metrics):
        found = ', '.join(type(metric).__name__ for metric in metrics) or 'none'
        raise ConfigError(
            f"report needs test_evaluator=dict(type='EpisodePCK'), whose numbers it "
            f'shows; the config has {found}'
        )


def report_test(runner: Runner, metrics: Metrics, folder: str | Path) -> Path:
    """Write the report of a finished test; on the main process only.

    Args:
        runner: after its test.
        metrics: what the test returned, with its ``run``.
        folder: of the report.

    Returns:
        Path of the page.
    """
    loader, parts = runner.test_loop.dataloader, runner.test_evaluator.metrics
    dataset, episodes = loader.dataset, getattr(loader.sampler, 'episodes', None)
    metric = next(part for part in parts if isinstance(part, EpisodePCK))
    pictures, names = {}, {}
    if isinstance(dataset, MP100EpisodeDataset) and episodes:
        chosen = choose_episodes(metric.pairs).values()
        shown = [one for some in chosen for one in some]
        pictures = draw_chosen(shown, metric.pairs, dataset, episodes)
        categories = dataset.categories.values()
        names = {category.id: category.keypoint_names for category in categories}
    prefix = f'{metric.prefix}/' if metric.prefix else ''
    own = {key.removeprefix(prefix): value for key, value in metrics.items()}
    text = render(own, metric.pairs, pictures, names, runner.cfg.pretty_text)
    # names in JSON may hold halves of letters, which no UTF-8 file can
    content = text.encode('utf-8', 'replace')
    return write_bytes_atomically(Path(folder) / PAGE_NAME, content, durable=False)


def render(
    metrics: Metrics,
    table: ResultTable,
    pictures: Mapping[tuple[int, int], bytes | str] | None = None,
    keypoint_names: Mapping[int, Sequence[str]] | None = None,
    config_text: str = '',
) -> str:
    """The page's text; any text in it is escaped, whatever it holds.

    Args:
        metrics: of an ``EpisodePCK``, without its prefix, with ``run``.
        table: the pairs.
        pictures: of pairs, by (episode_index, slot): JPEG files, or why there is none.
        keypoint_names: by category id, as far as known.
        config_text: the whole config.
    """
    run = dict(metrics.get('run') or {})
    if 'trained_categories_in_test' in metrics:
        run['trained_categories_in_test'] = metrics['trained_categories_in_test']
    curves = dict(threshold=pck_curve(metrics['pck_curve']))
    found = scored_confidences(table)
    if found is not None:
        curves |= dict(reliability=reliability_diagram(*found), risk=risk_curve(*found))
    return (
        _environment()
        .get_template('report.html.j2')
        .render(
            title=f'Evaluation of {Path(str(run.get("config", "a model"))).stem}',
            created=datetime.now().astimezone().strftime('%Y-%m-%d %H:%M:%S %z'),
            metrics=metrics,
            run=run,
            warnings=find_warnings(metrics, run),
            overall=overall_rows(metrics),
            intervals=metrics.get('confidence_intervals') or {},
            confidence=[
                (key.replace('_', ' '), value, CONFIDENCE_MEANINGS[key])
                for key, value in confidence_parts(metrics)
            ],
            curves=curves,
            episodes=choose_episodes(table),
            category_names=table.category_names,
            keypoint_names=keypoint_names or {},
            pictures=pictures or {},
            config_text=config_text,
            floors={k: v for k, v in FLOORS.items() if f'{k}/{PCK}' in metrics},
            PCK=PCK,
        )
    )


def find_warnings(metrics: Metrics, run: Metrics) -> list[str]:
    """What a reader must know before the first number."""
    found = [f'{text[0].upper()}{text[1:]}' for text in describe_gaps(metrics)]
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
    rows = metrics.get('per_category') or {}
    lost = [name for name, row in rows.items() if is_missing(row[PCK])]
    if lost:
        found.append(
            f'Nothing was scored of {len(lost)} of {len(rows)} categories: '
            f'{", ".join(lost)}.'
        )
    for floor, text in NO_BETTER.items():
        value = metrics.get(f'{floor}/{PCK}')
        if value is not None and metrics[PCK] <= value:
            found.append(f'The model is not better than {text}.')
    return found


def overall_rows(metrics: Metrics) -> list[tuple[str, float, str]]:
    """Key, factor and unit of every official value, with the means over categories."""
    keys = [*OVERALL_ROWS, macro_key(PCK), macro_key('mPCK5')]
    known = (key for key in keys if key in metrics)
    return [(k, 1, 'px') if k == 'EPE' else (k, 100, '%') for k in known]


def _environment() -> jinja2.Environment:
    """Jinja with every value escaped, and the filters of the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        number=show_number,
        above=show_gain,
        interval=show_interval,
        in_line=_in_line,
        data_uri=_data_uri,
    )
    return environment


def _in_line(value: object) -> str:
    """A value of any type in one line."""
    if isinstance(value, Mapping):
        return '; '.join(f'{key}: {_in_line(part)}' for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ', '.join(map(_in_line, value))
    return str(value)


def _data_uri(content: bytes, media_type: str) -> str:
    return f'data:{media_type};base64,{base64.b64encode(content).decode("ascii")}'
