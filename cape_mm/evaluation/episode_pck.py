"""The official MP-100 metric: PCK averaged over support-query pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.structures import BaseDataElement
from mmpose.registry import METRICS

from ..errors import MissingDataError
from .calibration import (
    area_under_risk_coverage,
    auroc,
    brier_score,
    expected_calibration_error,
    risk_at_coverage,
    risk_coverage,
)
from .pair_records import (
    PCK_KEYS,
    VALUE_KEYS,
    PairRecord,
    dropped_records,
    scored_records,
)
from .score_records import CORRECT_THRESHOLD, unpack_scores

COVERAGE_LEVELS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the keypoints, the most confident first, whose risk is reported."""


class QuietDict(dict):
    """A dict that prints as one short line and copies and pickles as a plain dict.

    MMEngine's logger prints every value that a metric returns; this keeps a table of
    a hundred categories out of the log line while JSON and checkpoints get all of it.
    """

    def __str__(self) -> str:
        return f'<{len(self)} entries>'

    def __reduce__(self) -> tuple:
        return dict, (dict(self),)


@METRICS.register_module()
class EpisodePCK(BaseMetric):
    """PCK, AUC, NME and EPE of support-query pairs, beside the copy-support floor.

    Convention:
        - distances are in source-image pixels over max(w, h) of the query's clean box
        - scored: keypoints visible in the query AND in all supports
        - every value is computed per pair, then averaged over pairs; all are fractions
          in [0, 1] except EPE, which is in pixels
        - official (``PCK@0.2``, ``AUC``, ``NME``, ``EPE``): a pair without a scorable
          keypoint counts 0, as in the reference code; ``*_valid``: it is left out
        - ``mPCK5`` averages the thresholds .05 to .25 (CapeFormer and its heirs),
          ``mPCK4`` .05 to .20 (MetaPoint)
        - ``mean_confidence``, ``ECE@0.2``, ``Brier@0.2``, ``AURC@0.2`` and the table
          ``risk_coverage@0.2`` take all scored keypoints of all pairs alike, correct
          being a distance below 0.2; left out if the model gives no
          ``keypoint_scores``
        - ``visibility_AUROC``: whether ``keypoints_visible`` tells the keypoints that
          the query shows from those it does not, among those that all supports show;
          left out without that field, or if one of the two kinds does not occur
        - dropped pairs (their image could not be loaded) are counted, never scored

    The pairs of all ranks are gathered in full, each once, in the order of the episode
    list: the result depends neither on the number of processes nor on the ``size``
    that MMEngine passes.

    Args:
        prefix: put before every key, for several metrics in one evaluator.
        collect_device: ignored; kept because MMEngine's metrics have it.
    """

    default_prefix = ''

    def __init__(self, prefix: str | None = None, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Score the pairs of a batch of episodes.

        Args:
            data_batch: not used.
            data_samples: :class:`EpisodeDataSample` with predictions, or the dicts that
                MMEngine's evaluator makes of them.

        Raises:
            ValueError: predictions and labels disagree in number of queries or
                keypoints, a scored prediction is NaN or infinite, or a confidence is
                no probability.
        """
        for data_sample in data_samples:
            if isinstance(data_sample, BaseDataElement):
                data_sample = data_sample.to_dict()
            self.results.extend(dropped_records(data_sample))
            self.results.extend(scored_records(data_sample))

    def evaluate(self, size: int) -> dict:
        """Gather the pairs of all processes and compute the metrics.

        Args:
            size: ignored. MMEngine passes the length of the data set, to which its own
                metrics cut the gathered list; ours holds several pairs per item.

        Returns:
            The metrics, the same on every process.

        Raises:
            MissingDataError: no pair at all was scored.
            ValueError: two episodes share an index.
        """
        gathered = all_gather_object(self.results)
        records = [record for results in gathered for record in results]
        self.results.clear()
        metrics = self.compute_metrics(_each_once(records))
        if self.prefix:
            metrics = {f'{self.prefix}/{key}': val for key, val in metrics.items()}
        return metrics

    def compute_metrics(self, results: list[PairRecord]) -> dict:
        """Average the pairs.

        Args:
            results: the records of all pairs, scored and dropped.

        Returns:
            Metrics by name (see the class), then ``num_pairs`` (scored),
            ``num_pairs_dropped``, ``num_pairs_empty`` (scored, but without a scorable
            keypoint), ``num_categories``, ``dropped_by_reason`` and ``per_category``,
            keyed by ``'<id> <name>'``.

        Raises:
            MissingDataError: no pair at all was scored.
        """
        scored = [record for record in results if record.drop_reason is None]
        dropped = [record for record in results if record.drop_reason is not None]
        reasons = dict(Counter(record.drop_reason for record in dropped))
        if not scored:
            raise MissingDataError(
                f'no support-query pair was scored ({len(dropped)} were dropped: '
                f'{reasons}). Check that the images are where data_root and '
                f'data_prefix point to, and that the sampler yields episodes.'
            )
        values = np.array([record.values for record in scored])
        floor = np.array([record.floor_values for record in scored])
        metrics = {**_means(values), **_valid_means(values)}
        floor_metrics = {**_means(floor), **_valid_means(floor, ('PCK@0.2',))}
        metrics.update({f'copy_support/{k}': v for k, v in floor_metrics.items()})
        metrics.update(_confidence_metrics(scored))
        metrics.update(_visibility_metrics(scored))
        metrics.update(
            num_pairs=len(scored),
            num_pairs_dropped=len(dropped),
            num_pairs_empty=int(np.isnan(values[:, 0]).sum()),
            num_categories=len({record.category_id for record in scored}),
            dropped_by_reason=reasons,
            per_category=_per_category(results),
        )
        return metrics


def _each_once(records: list[PairRecord]) -> list[PairRecord]:
    """Every pair once, in the order of the episode list.

    A distributed sampler may repeat episodes to give all ranks equal shares.
    """
    by_key: dict[tuple[int, int], PairRecord] = {}
    for record in records:
        key = record.episode_index, record.slot
        first = by_key.setdefault(key, record)
        if first.category_id != record.category_id:
            raise ValueError(
                f'two episodes, of categories {first.category_id} and '
                f'{record.category_id}, have the episode_index {key[0]}: it must be '
                f'unique within an evaluation, or their pairs cannot be told apart'
            )
    return [by_key[key] for key in sorted(by_key)]


def _means(values: np.ndarray) -> dict[str, float]:
    """Mean over pairs, where an empty pair counts 0; NaN if there is no pair.

    Args:
        values: columns in the order of :data:`VALUE_KEYS`, (N, V).
    """
    if len(values):
        means = np.nan_to_num(values).mean(axis=0).tolist()
    else:
        means = [np.nan] * len(VALUE_KEYS)
    metrics = dict(zip(VALUE_KEYS, means))
    num_pck = len(PCK_KEYS)
    metrics['mPCK5'] = sum(means[:num_pck]) / num_pck
    metrics['mPCK4'] = sum(means[: num_pck - 1]) / (num_pck - 1)
    return metrics


def _valid_means(
    values: np.ndarray, keys: Sequence[str] = VALUE_KEYS
) -> dict[str, float]:
    """Mean over the pairs that are not empty, as ``PCK_valid@0.2``, ``AUC_valid``."""
    means = _means(values[~np.isnan(values[:, 0])])
    return {_valid_key(key): means[key] for key in keys}


def _valid_key(key: str) -> str:
    name, *threshold = key.split('@')
    return '@'.join([f'{name}_valid', *threshold])


def _confidence_metrics(scored: list[PairRecord]) -> dict:
    """How well confidences foretell which keypoints are correct; {} without any."""
    packed = [record.confidences for record in scored]
    if None in packed:
        return {}
    confidence, is_correct = unpack_scores(packed)
    if not len(confidence):
        return {}
    thr = f'{CORRECT_THRESHOLD:g}'
    coverage, risk = risk_coverage(confidence, ~is_correct)
    return {
        'mean_confidence': float(confidence.mean()),
        f'ECE@{thr}': expected_calibration_error(confidence, is_correct),
        f'Brier@{thr}': brier_score(confidence, is_correct),
        f'AURC@{thr}': area_under_risk_coverage(confidence, ~is_correct),
        f'risk_coverage@{thr}': QuietDict(
            (f'{level:g}', risk_at_coverage(coverage, risk, level))
            for level in COVERAGE_LEVELS
        ),
    }


def _visibility_metrics(scored: list[PairRecord]) -> dict[str, float]:
    """Whether predicted visibility tells seen from hidden; {} if that has no answer."""
    packed = [record.visibilities for record in scored]
    if None in packed:
        return {}
    area = auroc(*unpack_scores(packed))
    return {} if np.isnan(area) else {'visibility_AUROC': area}


def _per_category(results: list[PairRecord]) -> QuietDict:
    """Key figures of every category that occurs, in the order of the ids."""
    groups: dict[int, list[PairRecord]] = {}
    for record in results:
        groups.setdefault(record.category_id, []).append(record)
    table = QuietDict()
    for category_id in sorted(groups):
        records = groups[category_id]
        scored = [record for record in records if record.drop_reason is None]
        shape = (-1, len(VALUE_KEYS))
        means = _means(np.array([r.values for r in scored]).reshape(shape))
        floor = _means(np.array([r.floor_values for r in scored]).reshape(shape))
        table[f'{category_id} {records[0].category_name}'.strip()] = {
            'PCK@0.2': means['PCK@0.2'],
            'mPCK5': means['mPCK5'],
            'copy_support/PCK@0.2': floor['PCK@0.2'],
            'num_pairs': len(scored),
            'num_pairs_dropped': len(records) - len(scored),
        }
    return table
