"""What a reader must know before the first number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .blocks import Text
from .result_sections import FLOOR, PCK


def find_warnings(metrics: Mapping[str, Any], run: Mapping[str, Any]) -> list[Text]:
    """Gaps in the data, and results that mean less than they seem to.

    Args:
        metrics: of ``EpisodePCK``.
        run: what was measured and with what.
    """
    found = []
    if metrics.get('partial'):
        found.append(_describe_partial(metrics))
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
    return [Text(text, is_warning=True) for text in found]


def _describe_partial(metrics: Mapping[str, Any]) -> str:
    text = metrics['partial']['text']
    reasons = metrics.get('dropped_by_reason') or {}
    listed = ', '.join(f'{reason}: {count:,}' for reason, count in reasons.items())
    return (
        f'{text[0].upper()}{text[1:]}{f" ({listed})" if listed else ""}. Do not '
        f'compare this result with published numbers.'
    )
