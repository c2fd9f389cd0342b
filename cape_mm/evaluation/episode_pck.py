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

from ..errors import ConfigError, MissingDataError
from .bootstrap import NUM_RESAMPLES
from .pair_records import (
    PCK_KEYS,
    VALUE_KEYS,
    PairRecord,
    dropped_records,
    scored_records,
)
from .pair_statistics import category_statistics, pair_statistics
from .pair_table import PairTable, table_of
from .partial_data import describe_partial, records_of_gaps
from .quiet_dict import QuietDict
from .reliability_metrics import confidence_metrics, visibility_metrics


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
        - ``PCK_macro@0.2``, ``mPCK5_macro`` and so on: the mean over categories of the
          official value, every category weighing the same
        - the tables ``confidence_intervals`` (95 %, over episodes within categories and
          over categories), ``per_supercategory``, ``by_visibility`` (where the labels
          tell v = 1 from v = 2) and ``pck_curve``, and in every row of
          ``per_category`` ``PCK@0.2_interval`` and ``per_keypoint``: see
          ``pair_statistics``
        - dropped pairs (their image could not be loaded) are counted, never scored; so
          are the pairs of a full draw that no episode brought, such as those of a
          category that the sampler left out (``dataset_meta['evaluation_plan']``)
        - ``partial`` is None, or says which part of the full draw was scored

    The pairs of all ranks are gathered in full, each once, in the order of the episode
    list: the result depends neither on the number of processes nor on the ``size``
    that MMEngine passes.

    Attributes:
        pairs: all pairs of the last evaluation, scored and dropped; None before it.

    Args:
        prefix: put before every key, for several metrics in one evaluator.
        collect_device: ignored; kept because MMEngine's metrics have it.
        num_resamples: of every bootstrap; 0 leaves the intervals out.
        seed: of the bootstrap's own generator.
    """

    default_prefix = ''

    def __init__(
        self,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        num_resamples: int = NUM_RESAMPLES,
        seed: int = 0,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if num_resamples < 0:
            raise ConfigError(
                f'EpisodePCK: num_resamples must be >= 0, got {num_resamples}'
            )
        self.num_resamples, self.seed = num_resamples, seed
        self.pairs: PairTable | None = None

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
            keypoint), ``num_categories`` (with a scored pair), ``partial``,
            ``dropped_by_reason`` and ``per_category``, keyed by ``'<id> <name>'``,
            where a category of which nothing was scored has NaN for its values.

        Raises:
            MissingDataError: no pair at all was scored.
        """
        plan = (self.dataset_meta or {}).get('evaluation_plan') or {}
        results = [*results, *records_of_gaps(results, plan)]
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
        metrics.update(confidence_metrics(scored))
        metrics.update(visibility_metrics(scored))
        metrics.update(
            num_pairs=len(scored),
            num_pairs_dropped=len(dropped),
            num_pairs_empty=int(np.isnan(values[:, 0]).sum()),
            num_categories=len({record.category_id for record in scored}),
            partial=describe_partial(results, plan),
            dropped_by_reason=reasons,
            per_category=_per_category(results),
        )
        self.pairs = table_of(results)
        metrics.update(self._statistics(metrics['per_category']))
        return metrics

    def _statistics(self, per_category: QuietDict) -> dict:
        """Statistics of the pairs; those of a category go into its row."""
        settings = self.pairs, self.num_resamples, self.seed
        rows = category_statistics(*settings)
        for category_id, row in zip(np.unique(self.pairs.category_id), per_category):
            per_category[row].update(rows.get(int(category_id), {}))
        return {
            key: QuietDict(value) if isinstance(value, dict) else value
            for key, value in pair_statistics(*settings).items()
        }


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
