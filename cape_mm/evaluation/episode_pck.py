"""The official MP-100 metric: PCK averaged over support-query pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.structures import BaseDataElement
from mmpose.registry import METRICS

from ..errors import MissingDataError
from ..utils.value_checks import check_at_least
from .bootstrap import NUM_RESAMPLES, confidence_intervals
from .breakdowns import (
    OneLineDict,
    by_category,
    by_keypoint,
    by_supercategory,
    by_visibility,
    describe_partial,
    macro_means,
    mean_metrics,
    pck_curve,
    valid_means,
)
from .calibration import confidence_metrics, visibility_metrics
from .results import ResultTable, dropped_pairs, each_once, join_tables, with_gaps
from .scoring import score_episode


@METRICS.register_module()
class EpisodePCK(BaseMetric):
    """PCK, AUC, NME and EPE of support-query pairs, beside the floors.

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
          official value, every category weighing the same. The best checkpoint is
          chosen by it, since categories may have unequal numbers of pairs
        - ``copy_support/PCK@0.2`` and so on: the same of a floor, see ``scoring``;
          ``matching/PCK@0.2`` likewise, of the matcher without parameters, from a model
          that gives ``matched_keypoints_orig``
        - the tables ``confidence_intervals`` (95 %, over episodes within categories and
          over categories), ``per_supercategory``, ``by_visibility`` (where the labels
          tell v = 1 from v = 2) and ``pck_curve``, and in every row of
          ``per_category`` ``PCK@0.2_interval`` and ``per_keypoint``: see
          ``breakdowns`` and ``bootstrap``
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
        check_at_least('num_resamples', num_resamples, 0)
        self.num_resamples, self.seed = num_resamples, seed
        self.pairs: ResultTable | None = None

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
            self.results.append(score_episode(data_sample))

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
        metrics = self.compute_metrics([part for parts in gathered for part in parts])
        self.results.clear()
        if self.prefix:
            metrics = {f'{self.prefix}/{key}': val for key, val in metrics.items()}
        return metrics

    def compute_metrics(self, results: list[ResultTable]) -> dict:
        """Average the pairs.

        Args:
            results: the pairs of every episode, scored and dropped, of all processes.

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
        table = join_tables(results or [dropped_pairs(0, [], [], [])])
        table = self.pairs = with_gaps(each_once(table), plan)
        is_scored = table.is_scored
        reasons = dict(Counter(table.drop_reason[~is_scored].tolist()))
        if not is_scored.any():
            raise MissingDataError(
                f'no support-query pair was scored ({len(table)} were dropped: '
                f'{reasons}). Check that the images are where data_root and '
                f'data_prefix point to, and that the sampler yields episodes.'
            )
        values = table.values[is_scored]
        metrics = {**mean_metrics(values), **valid_means(values)}
        for name, floor in table.floors.items():
            values = floor.values[is_scored]
            below = {**mean_metrics(values), **valid_means(values, ('PCK@0.2',))}
            metrics.update({f'{name}/{key}': value for key, value in below.items()})
        metrics.update(confidence_metrics(table))
        metrics.update(visibility_metrics(table))
        intervals, own = {}, {}
        if self.num_resamples:
            intervals, own = confidence_intervals(table, self.num_resamples, self.seed)
        per_category = self._per_category(table, own)
        metrics.update(
            num_pairs=int(is_scored.sum()),
            num_pairs_dropped=int((~is_scored).sum()),
            num_pairs_empty=int(table.is_empty.sum()),
            num_categories=sum(row['num_pairs'] > 0 for row in per_category.values()),
            partial=describe_partial(table),
            dropped_by_reason=reasons,
            per_category=per_category,
            **macro_means(table),
        )
        for name, rows in (
            ('confidence_intervals', intervals),
            ('per_supercategory', by_supercategory(table)),
            ('by_visibility', by_visibility(table)),
            ('pck_curve', pck_curve(table)),
        ):
            if rows:
                metrics[name] = OneLineDict(rows)
        return metrics

    def _per_category(self, table: ResultTable, intervals: dict) -> OneLineDict:
        """Rows of the categories by ``'<id> <name>'``."""
        keypoints, rows = by_keypoint(table), OneLineDict()
        for category_id, row in by_category(table).items():
            if category_id in keypoints:
                row['per_keypoint'] = keypoints[category_id]
            if category_id in intervals:
                row['PCK@0.2_interval'] = intervals[category_id]
            name = table.category_names.get(category_id, '')
            rows[f'{category_id} {name}'.strip()] = row
        return rows
