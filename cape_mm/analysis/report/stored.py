"""The report of a test of which only the files are left: ``report.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...datasets.annotation_index import AnnotationIndex
from ...errors import AnnotationFormatError, ConfigError, MissingDataError
from ...evaluation.prediction_dump import read_dump
from ...evaluation.rescoring import rescore
from ...evaluation.result_file import read_results, results_path
from .content import Evaluation, build_report
from .prefixes import run_of, split_metrics
from .tested import hash_data, names_of
from .writing import check_folder, now, write_report


def report_stored(
    result: str | Path,
    out: str | Path | None = None,
    dump: str | Path | None = None,
    ann_file: str | Path | None = None,
) -> Path:
    """Write the report of a finished test without its model; it has no pictures.

    Args:
        result: metrics file of a test, or the folder with ``metrics.json``.
        out: folder of the report; default ``report`` beside the metrics file.
        dump: the test's predictions, for the curves of its confidences.
        ann_file: annotation file that was tested on; the dump is read with it.

    Returns:
        Path of the page.

    Raises:
        MissingDataError: a file does not exist.
        AnnotationFormatError: a file is damaged.
        ConfigError: only one of ``dump`` and ``ann_file`` is given, they are of another
            test, the metrics are not those of ``EpisodePCK``, or nothing can be written
            in the folder.
    """
    if (dump is None) != (ann_file is None):
        raise ConfigError('--dump and --ann-file are of use together: give both')
    path = Path(result)
    path = path / 'metrics.json' if path.is_dir() else path
    metrics = read_metrics(path)
    own, others = split_metrics(metrics, str(path))
    folder = check_folder(path.parent / 'report' if out is None else out, '--out')
    known: dict[str, Any] = dict(table=None)
    if results_path(path).is_file():
        known['table'] = read_results(path).table
    if dump is not None:
        known.update(_predictions(dump, ann_file, own, path))
    evaluation = Evaluation(own, run_of(metrics), now(), other_numbers=others, **known)
    return write_report(build_report(evaluation), folder)


def read_metrics(path: Path) -> dict[str, Any]:
    """Read a metrics file.

    Raises:
        MissingDataError: it does not exist.
        AnnotationFormatError: it is not a JSON object.
    """
    if not path.is_file():
        raise MissingDataError(
            f'no metrics file {path}. tools/test.py writes one; name it, or its folder.'
        )
    try:
        metrics = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise AnnotationFormatError(f'{path} is not a JSON file: {error}') from error
    if not isinstance(metrics, dict):
        raise AnnotationFormatError(f'{path} is not a metrics file: it holds no object')
    return metrics


def _predictions(
    dump: str | Path, ann_file: str | Path, metrics: dict[str, Any], path: Path
) -> dict[str, Any]:
    """What the predictions add; refused if their score is not that of the metrics."""
    predictions, index = read_dump(dump), AnnotationIndex.read([ann_file])
    metric = rescore(predictions, index, dump)
    scored = metric.evaluate(len(predictions.episodes))
    for key in ('num_pairs', 'PCK@0.2'):
        if scored[key] != metrics.get(key):
            raise ConfigError(
                f'{dump} holds the predictions of another test than {path}: their '
                f'{key} is {scored[key]}, not {metrics.get(key)}'
            )
    return dict(
        table=metric.pairs,
        entries=list(predictions.entries.values()),
        keypoint_names=names_of(index.categories.values()),
        data_files=hash_data([str(ann_file)]),
    )
