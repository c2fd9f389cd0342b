"""What the model's confidences are worth, as numbers and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...evaluation.report import CONFIDENCE_PARTS
from .blocks import Block, Section, Table, Text
from .curves import reliability_figure, risk_figure
from .numbers import is_missing, percent
from .reliability import Reliability

CURVE_KEY = 'risk_coverage@0.2'
EXPLANATIONS = {
    'mean_confidence': 'of all scored keypoints',
    'ECE@0.2': 'expected calibration error: 0 is best',
    'Brier@0.2': 'mean squared error of the confidence: 0 is best',
    'AURC@0.2': 'area under the risk-coverage curve: 0 is best',
    'visibility_AUROC': 'predicted visibility: 0.5 is chance, 1 is best',
}


def confidence_section(
    metrics: Mapping[str, Any], found: Reliability | None, is_looked_for: bool = True
) -> Section:
    """Calibration and risk over coverage.

    Args:
        metrics: of ``EpisodePCK``.
        found: the keypoints by confidence; None where they are not known.
        is_looked_for: whether predictions were there to look for them.
    """
    blocks: list[Block] = []
    rows = list(_rows(metrics))
    if rows:
        blocks.append(Table(('', 'value', 'meaning'), rows, is_text=True))
    if found is not None:
        blocks += [reliability_figure(found), risk_figure(found)]
    elif metrics.get(CURVE_KEY) and not is_looked_for:
        blocks.append(
            Text('The curves need the predictions: give a dump of them (--dump).')
        )
    if metrics.get(CURVE_KEY):
        blocks.append(_coverage_table(metrics[CURVE_KEY]))
    if 'mean_confidence' not in metrics:
        blocks.append(Text('The model gives no confidences.'))
    return Section('confidence', 'Confidence', blocks)


def _rows(metrics: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    for key, scale, unit in CONFIDENCE_PARTS:
        value = metrics.get(key)
        if not is_missing(value):
            shown = f'{scale * value:.{1 if unit else 3}f}{unit}'
            yield key.replace('_', ' '), shown, EXPLANATIONS[key]


def _coverage_table(curve: Mapping[str, float]) -> Table:
    rows = [(f'{100 * float(level):g} %', percent(r)) for level, r in curve.items()]
    return Table(('most confident keypoints', 'of them wrong [%]'), rows)
