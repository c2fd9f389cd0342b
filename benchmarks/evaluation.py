"""A config's own test beside the same pairs one by one, with random weights.

The test takes every picture through the backbone once; the plain loop takes support
and query of every pair through the network, as reference implementations do.

    python benchmarks/evaluation.py configs/cape_tiny_scratch.py --plain-pairs 1500
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from cape_mm.analysis.random_model import build_model, prediction_dtype
from cape_mm.apis import load_config, parse_cfg_options
from cape_mm.evaluation import EpisodePCK
from cape_mm.utils.devices import check_device


class KeptPoints(BaseMetric):
    """Keeps the predicted points of every query, by episode and annotation."""

    default_prefix = 'kept'

    def __init__(self) -> None:
        super().__init__()
        self.points: dict[tuple[int, int], np.ndarray] = {}

    def process(self, data_batch, data_samples) -> None:
        """Note what a batch predicts."""
        for sample in data_samples:
            ids = np.asarray(sample['gt_instances']['ann_ids']).tolist()
            found = np.asarray(sample['pred_instances']['keypoints_orig'])
            for ann_id, points in zip(ids, found):
                self.points[sample['episode_index'], ann_id] = points

    def compute_metrics(self, results: list) -> dict:
        """Nothing: the points stay where they are."""
        return {}


def run(
    cfg: Config, model: torch.nn.Module, loader: DataLoader, loop: dict
) -> tuple[float, dict, KeptPoints]:
    """Seconds of a test, its metrics, and its points."""
    kept = KeptPoints()
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(
            model=model,
            work_dir=folder,
            test_dataloader=loader,
            test_evaluator=Evaluator([EpisodePCK(num_resamples=0), kept]),
            test_cfg=loop,
            default_scope=cfg.get('default_scope', 'mmpose'),
            experiment_name=f'benchmark_{time.time_ns()}',
        )
        start = time.perf_counter()
        metrics = runner.test()
        return time.perf_counter() - start, metrics, kept


def plain_loader(loader: DataLoader, number: int) -> DataLoader:
    """So many pairs, spread evenly over the episodes, an episode each."""
    episodes = loader.sampler.episodes
    pairs = [(e, ann_id) for e in episodes for ann_id in e.query_ids]
    number = min(number, len(pairs))
    chosen = (pairs[i * len(pairs) // number] for i in range(number))
    return DataLoader(
        loader.dataset,
        batch_size=1,
        sampler=[replace(episode, query_ids=(i,)) for episode, i in chosen],
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
    )


def main() -> None:
    """Measure both, and how far their points lie apart."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('config')
    parser.add_argument('--plain-pairs', type=int, default=1000)
    parser.add_argument('--amp', action='store_true')
    parser.add_argument('--cfg-options', nargs='+')
    args = parser.parse_args()
    cfg = load_config(args.config, parse_cfg_options(args.cfg_options))
    device = check_device(None)
    precision = prediction_dtype(device) if args.amp else torch.float32
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')):
        loader = Runner.build_dataloader(cfg.test_dataloader, seed=0)
        model = build_model(cfg, 0, device).eval()
        loop = dict(cfg.test_cfg, precision=str(precision).removeprefix('torch.'))
        seconds, metrics, bank = run(cfg, model, loader, loop)
        pairs = plain_loader(loader, args.plain_pairs)
        plain_loop = dict(type='TestLoop', fp16=args.amp)
        plain_seconds, plain_metrics, plain = run(cfg, model, pairs, plain_loop)
    per_pair = seconds / len(bank.points), plain_seconds / len(plain.points)
    for name, one, found in zip(('test', 'plain'), per_pair, (metrics, plain_metrics)):
        print(
            f'{name}: {found["num_pairs"]:,} pairs, {1000 * one:.2f} ms per pair, '
            f'PCK@0.2 {100 * found["PCK@0.2"]:.2f}'
        )
    apart = max(abs(bank.points[k] - plain.points[k]).max() for k in plain.points)
    print(
        f'{per_pair[1] / per_pair[0]:.1f} times less; points differ by {apart:.1e} px'
    )


if __name__ == '__main__':
    main()
