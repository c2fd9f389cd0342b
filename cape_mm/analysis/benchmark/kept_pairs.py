"""What two evaluations say of the same support-query pairs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from ...errors import ConfigError
from ...evaluation.functional import pck
from ...evaluation.scoring import scorable_keypoints
from .timing import synchronize

Pair = tuple[int, int]
"""Index of the episode, place of the query in it."""
THRESHOLD = 0.2


class KeptPairs(BaseMetric):
    """Predictions of some pairs with what they are scored by.

    Args:
        wanted: the pairs to keep.
    """

    default_prefix = 'kept'

    def __init__(self, wanted: Iterable[Pair]) -> None:
        super().__init__()
        self.wanted = set(wanted)
        self.pairs: dict[Pair, tuple[np.ndarray, ...]] = {}
        self.num_pairs = 0
        self.seconds = self.cpu_seconds = 0.0

    @contextmanager
    def timed(self, device: torch.device) -> Iterator[None]:
        """Add the time of what happens inside."""
        synchronize(device)
        start, cpu_start = time.perf_counter(), time.process_time()
        yield
        synchronize(device)
        self.seconds += time.perf_counter() - start
        self.cpu_seconds += time.process_time() - cpu_start

    def process(self, data_batch: Mapping, data_samples: Sequence[Mapping]) -> None:
        for sample in data_samples:
            for row, slot in enumerate(sample['query_slots']):
                self.num_pairs += 1
                if (sample['episode_index'], slot) in self.wanted:
                    key = sample['episode_index'], slot
                    self.pairs[key] = _scored_pair(sample, row)

    def evaluate(self, size: int) -> dict:
        """Nothing: the pairs stay where they are."""
        return {}

    def compute_metrics(self, results: list) -> dict:
        """Never called."""
        raise NotImplementedError


def _scored_pair(sample: Mapping, row: int) -> tuple[np.ndarray, ...]:
    """Prediction, truth, mask and size of one query, each with a leading 1."""
    truth, support = sample['gt_instances'], sample['support_instances']
    mask = scorable_keypoints(
        np.asarray(truth['is_visible_orig']), np.asarray(support['is_visible_orig'])
    )
    part = slice(row, row + 1)
    return (
        np.asarray(sample['pred_instances']['keypoints_orig'])[part],
        np.asarray(truth['keypoints_orig'])[part],
        mask[part],
        np.asarray(truth['bboxes'])[part, 2:].max(axis=1),
    )


def summarise_both(bank: KeptPairs, plain: KeptPairs) -> dict:
    """Times per pair, their quotient, and how far the results agree.

    Raises:
        ConfigError: no pair could be evaluated.
    """
    shared = sorted(bank.pairs.keys() & plain.pairs.keys())
    if not shared:
        raise ConfigError('--mode evaluate: no pair of the test data can be loaded')
    parts = {}
    for name, kept in (('bank', bank), ('plain', plain)):
        scores = [pck(*kept.pairs[key], THRESHOLD)[0] for key in shared]
        parts[name] = {
            'num_pairs': kept.num_pairs,
            'seconds': kept.seconds,
            'cpu_seconds': kept.cpu_seconds,
            'ms_per_pair': 1000 * kept.seconds / kept.num_pairs,
            f'PCK@{THRESHOLD:g}': float(np.nan_to_num(scores).mean()),
        }
    difference = max(
        float(np.abs(bank.pairs[key][0] - plain.pairs[key][0]).max()) for key in shared
    )
    work = bank.num_pairs / plain.num_pairs
    return dict(
        **parts,
        num_compared=len(shared),
        plain_over_bank=work * plain.seconds / bank.seconds,
        plain_over_bank_cpu=work * plain.cpu_seconds / bank.cpu_seconds,
        largest_difference_px=difference,
    )


def format_evaluation(record: Mapping) -> Iterator[str]:
    """The table of a record."""
    yield f'{"":8}{"pairs":>8}{"seconds":>10}{"ms/pair":>10}{"PCK@0.2":>10}'
    for name in ('plain', 'bank'):
        part = record[name]
        yield (
            f'{name:8}{part["num_pairs"]:8,}{part["seconds"]:10.1f}'
            f'{part["ms_per_pair"]:10.2f}{part["PCK@0.2"]:10.4f}'
        )
    yield (
        f'plain over bank, time per pair: {record["plain_over_bank"]:.1f} (time of the '
        f'CPU: {record["plain_over_bank_cpu"]:.1f}); largest difference on '
        f'{record["num_compared"]:,} pairs: {record["largest_difference_px"]:.1e} px '
        f'(source image)'
    )
