"""A whole test, beside the same episodes taken pair by pair."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from ...apis.config_checks import check_data_files, check_dataloader, iterate_datasets
from ...apis.config_loading import load_config
from ...datasets import collate_episodes
from ...engine.loops.episode_eval_loop import cast_to
from ...errors import ConfigError
from ...evaluation import EpisodePCK
from ...structures import Episode
from ...utils.devices import check_device
from .kept_pairs import KeptPairs, Pair, summarise_both
from .settings import BenchmarkSettings
from .subject import build_model, prediction_dtype


def measure_evaluation(
    config: str | Path, settings: BenchmarkSettings, cfg_options: Mapping | None
) -> dict:
    """Time a test of random weights, reading, metrics and all, and a plain loop.

    The plain loop takes one support and one query per forward pass, as the reference
    implementations do, on pairs spread evenly over the episodes: every second of them
    before the whole test, the others after.

    Returns:
        ``bank`` and ``plain``, each with ``num_pairs``, ``seconds``, ``cpu_seconds`` of
        this process (loader workers not included), ``ms_per_pair`` and ``PCK@0.2`` on
        the pairs of both; ``plain_over_bank``, the quotient of the times per pair, and
        ``plain_over_bank_cpu`` of the CPU's; ``largest_difference_px`` between their
        predictions.

    Raises:
        CapeError: what settings, config or data make impossible.
    """
    cfg = load_config(config, cfg_options)
    device = check_device(settings.device)
    if device.type == 'cpu' and torch.cuda.is_available():
        raise ConfigError(
            '--mode evaluate --device cpu: hide the GPU (CUDA_VISIBLE_DEVICES=)'
        )
    precision = 'float32'
    if device.type == 'cuda':
        wanted = (cfg.get('env_cfg') or {}).get('cudnn_benchmark', False)
        torch.backends.cudnn.benchmark = wanted
    if settings.amp:
        precision = str(prediction_dtype(device)).removeprefix('torch.')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')):
        loader = build_test_loader(cfg, settings.seed)
        model = build_model(cfg, settings.seed, device).eval()
        pairs = choose_pairs(loader.sampler.episodes, settings.plain_pairs)
        plain, bank = KeptPairs(pairs), KeptPairs(pairs)
        with plain.timed(device):
            run_pairs(model, loader, pairs[::2], plain, precision)
        run_test(cfg, model, loader, bank, precision)
        with plain.timed(device):
            run_pairs(model, loader, pairs[1::2], plain, precision)
    return summarise_both(bank, plain)


def build_test_loader(cfg: Config, seed: int) -> DataLoader:
    """The config's test_dataloader.

    Raises:
        ConfigError: there is none, or it has no fixed episodes.
        MissingDataError: its data does not exist.
    """
    if cfg.get('test_dataloader') is None:
        raise ConfigError('--mode evaluate: the config has no test_dataloader')
    check_dataloader(cfg.test_dataloader, 'test_dataloader')
    for dataset in iterate_datasets(cfg.test_dataloader.dataset):
        check_data_files(dataset, 'test_dataloader', 'data_root')
    loader = Runner.build_dataloader(cfg.test_dataloader, seed=seed)
    if not getattr(loader.sampler, 'episodes', None):
        raise ConfigError('--mode evaluate: the test sampler has no fixed episodes')
    return loader


def choose_pairs(episodes: Sequence[Episode], number: int) -> list[Pair]:
    """So many pairs, or all, spread evenly over the list of episodes."""
    pairs = [(e.index, slot) for e in episodes for slot in range(len(e.query_ids))]
    number = min(number, len(pairs))
    return [pairs[i * len(pairs) // number] for i in range(number)]


def run_test(
    cfg: Config,
    model: nn.Module,
    loader: DataLoader,
    kept: KeptPairs,
    precision: str,
) -> None:
    """The config's own test, timed."""
    loop = dict(cfg.get('test_cfg') or {}) | dict(precision=precision)
    if loop.get('type') != 'EpisodeTestLoop':
        raise ConfigError("--mode evaluate needs test_cfg=dict(type='EpisodeTestLoop')")
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(
            model=model,
            work_dir=folder,
            test_dataloader=loader,
            test_evaluator=Evaluator([EpisodePCK(), kept]),
            test_cfg=loop,
            default_scope=cfg.get('default_scope', 'mmpose'),
            experiment_name='benchmark',
        )
        with kept.timed(next(model.parameters()).device):
            runner.test()


def run_pairs(
    model: nn.Module,
    loader: DataLoader,
    pairs: Sequence[Pair],
    kept: KeptPairs,
    precision: str,
) -> None:
    """One support and one query at a time."""
    device = next(model.parameters()).device
    evaluator = Evaluator([EpisodePCK(), kept])
    for slot, batch in _load_pairs(loader, pairs):
        with torch.no_grad(), cast_to(precision, device):
            samples = model.test_step(batch)
        evaluator.process(data_samples=_as_of_episode(samples, slot))


def _load_pairs(
    loader: DataLoader, pairs: Sequence[Pair]
) -> Iterator[tuple[int, dict]]:
    by_index = {episode.index: episode for episode in loader.sampler.episodes}
    single = [
        replace(by_index[index], query_ids=(by_index[index].query_ids[slot],))
        for index, slot in pairs
    ]
    batches = DataLoader(
        loader.dataset,
        batch_size=1,
        sampler=single,
        num_workers=loader.num_workers,
        collate_fn=collate_episodes,
        worker_init_fn=loader.worker_init_fn,
    )
    yield from zip((slot for _, slot in pairs), batches)


def _as_of_episode(samples: list, slot: int) -> list:
    """The one query stands where it does in the whole episode."""
    for sample in samples:
        slots = [slot] * len(sample.query_slots)
        dropped = [dict(pair, slot=slot) for pair in sample.dropped_pairs]
        sample.set_metainfo(dict(query_slots=slots, dropped_pairs=dropped))
    return samples
