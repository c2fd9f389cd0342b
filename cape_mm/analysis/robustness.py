"""How much PCK a checkpoint loses where its input is disturbed.

The model is built once; every edit is the config's own test on the same frozen
episodes, compared with the clean one pair by pair.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..apis.config_checks import check_config
from ..apis.config_loading import load_config, set_work_dir
from ..apis.run_description import describe_run
from ..apis.runner import build_runner
from ..compat.checkpoint import load_weights, read_checkpoint
from ..datasets import MP100EpisodeDataset
from ..datasets.frozen_episodes import episodes_sha256
from ..errors import ConfigError
from ..evaluation import EpisodePCK
from ..evaluation.bootstrap import LEVEL, NUM_RESAMPLES, compare_pairs
from ..evaluation.report import format_columns, write_metrics
from ..evaluation.results import PCK_COLUMN, ResultTable, common_rows
from ..utils.atomic_write import try_folder
from ..utils.value_checks import check_at_least
from .robustness_edits import EvaluationData, choose_edits
from .run_comparison import difference_cells

DEFAULT_HOOKS = (
    *('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler'),
    'checkpoint',
)
"""Of MMEngine's runner; they have nothing to do here."""
LOADER_OPTIONS = (
    *('batch_size', 'num_workers', 'collate_fn', 'pin_memory', 'timeout'),
    *('worker_init_fn', 'multiprocessing_context', 'prefetch_factor'),
)


def measure_robustness(
    config: str | Path,
    checkpoint: str | Path,
    out: str | Path | None = None,
    only: Sequence[str] | None = None,
    episodes_per_category: int | None = None,
    cfg_options: Mapping | None = None,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> dict[str, Any]:
    """Measure PCK@0.2 under every edit against the clean run, and write the result.

    Args:
        config: config file.
        checkpoint: checkpoint file; it must fit the config's model exactly.
        out: folder for ``robustness.json``; default ``work_dirs/<config>/robustness``.
        only: names of edits; None measures all.
        episodes_per_category: the first so many of the test's own; None is all.
        cfg_options: overrides.
        seed: of the edits and of the bootstrap.
        num_resamples: of each bootstrap.

    Returns:
        ``run`` (what was measured), ``clean`` and ``perturbations``, a record per edit
        and strength, see :func:`compare_to_clean`.

    Raises:
        CapeError: what arguments, config, data or checkpoint make impossible.
    """
    chosen = choose_edits(only)
    cfg = load_config(config, cfg_options)
    set_work_dir(cfg, None)
    folder = try_folder(out or Path(cfg.work_dir) / 'robustness')
    cfg.work_dir = str(folder)
    content = read_checkpoint(checkpoint)
    runner = prepare_runner(cfg)
    load_weights(runner.model, content, checkpoint)
    loader = runner.test_loop.dataloader
    data = open_data(loader, episodes_per_category)
    run = describe_run(runner, config, checkpoint, content)
    run |= dict(seed=seed, num_resamples=num_resamples, level=LEVEL)
    run['episodes_sha256'] = episodes_sha256(data.episodes)
    # edits first: what is impossible shows before anything is computed
    planned = [(e, v, e.apply(data, v, seed)) for e in chosen for v in e.values]
    clean = score(runner, loader, data)
    records = []
    for edit, value, edited in planned:
        start = time.perf_counter()
        table = score(runner, loader, edited)
        record = dict(name=edit.name, value=value, label=edit.label(value))
        record |= compare_to_clean(clean, table, num_resamples, seed)
        record['seconds'] = time.perf_counter() - start
        runner.logger.info(' '.join(format_row(record)[:4]))
        records.append(record)
    described = describe_clean(clean, len(data.episodes))
    result = dict(run=run, clean=described, perturbations=records)
    print(format_result(result))
    print(f'written: {write_metrics(result, folder / "robustness.json")}')
    return result


def prepare_runner(cfg: Config) -> Runner:
    """A runner that tests in one process."""
    cfg.launcher, cfg.load_from, cfg.resume = 'none', None, False
    check_config(cfg, 'test')
    cfg.test_evaluator = dict(type='EpisodePCK', num_resamples=0)
    cfg.default_hooks = dict.fromkeys(DEFAULT_HOOKS)
    cfg.custom_hooks = []
    for stage in ('train', 'val'):
        cfg[f'{stage}_dataloader'] = cfg[f'{stage}_cfg'] = None
    cfg.val_evaluator = cfg.optim_wrapper = cfg.param_scheduler = None
    return build_runner(cfg)


def open_data(loader: DataLoader, episodes_per_category: int | None) -> EvaluationData:
    """The episodes of a test, or the first few of every category.

    Raises:
        ConfigError: the loader is not one of fixed MP-100 episodes with real supports,
            or less than one episode is asked for.
    """
    dataset = loader.dataset
    episodes = getattr(loader.sampler, 'episodes', None)
    if not isinstance(dataset, MP100EpisodeDataset) or not episodes:
        raise ConfigError(
            'robustness is measured on fixed episodes: test_dataloader needs '
            "dataset=dict(type='MP100EpisodeDataset', test_mode=True, ...) and "
            "sampler=dict(type='FixedEpisodeSampler', ...)"
        )
    if dataset.templates:
        raise ConfigError(
            f'templates of {dataset.template_file} stand in for the supports, so there '
            f'is no support to change. Leave template_file out.'
        )
    number = episodes_per_category
    if number is not None:
        check_at_least('episodes_per_category', number, 1)
    kept: dict[int, list] = {}
    for episode in episodes:
        kept.setdefault(episode.category_id, []).append(episode)
    first = [e for group in kept.values() for e in group[:number]]
    return EvaluationData(dataset, tuple(sorted(first, key=lambda e: e.index)))


def score(runner: Runner, loader: DataLoader, data: EvaluationData) -> ResultTable:
    """The pairs of a test of the data as they are."""
    sampler = copy.copy(loader.sampler)
    sampler.episodes = list(data.episodes)
    loop, metric = runner.test_loop, EpisodePCK(num_resamples=0)
    same = {name: getattr(loader, name) for name in LOADER_OPTIONS}
    loop.dataloader = DataLoader(data.dataset, sampler=sampler, **same)
    loop.evaluator = Evaluator([metric])
    loop.run()
    return metric.pairs


def describe_clean(clean: ResultTable, num_episodes: int) -> dict[str, Any]:
    """Official figures of the clean run."""
    floor = np.nan_to_num(clean.floors['copy_support'].values[clean.is_scored])
    return {
        'PCK@0.2': float(clean.official_values[:, PCK_COLUMN].mean()),
        'copy_support/PCK@0.2': float(floor[:, PCK_COLUMN].mean()),
        'num_pairs': int(clean.is_scored.sum()),
        'num_pairs_dropped': int((~clean.is_scored).sum()),
        'num_episodes': num_episodes,
        'num_categories': len(np.unique(clean.category_id[clean.is_scored])),
    }


def compare_to_clean(
    clean: ResultTable, edited: ResultTable, num_resamples: int, seed: int
) -> dict[str, Any]:
    """Figures of an edited run beside the clean one, on the pairs that both scored.

    Returns:
        ``num_pairs`` and ``num_pairs_left_out``; ``PCK@0.2``, ``clean`` and
        ``difference``; ``over_episodes`` and ``over_categories`` as
        :func:`compare_pairs` gives them, A the clean run.
    """
    rows = common_rows(clean, edited)
    left_out = int(clean.is_scored.sum()) - len(rows[0])
    record = dict(num_pairs=len(rows[0]), num_pairs_left_out=left_out)
    if not record['num_pairs']:
        return record
    pck = [
        np.nan_to_num(table.values[own, PCK_COLUMN])
        for table, own in zip((clean, edited), rows)
    ]
    pairs = clean.episode_index[rows[0]], clean.category_id[rows[0]]
    found = compare_pairs(*pck, *pairs, num_resamples, seed)
    mean = found['over_episodes']
    record |= {key: found[key] for key in ('over_episodes', 'over_categories')}
    record |= {'PCK@0.2': mean['B'], 'clean': mean['A']}
    return record | dict(difference=mean['difference'])


def format_result(result: Mapping[str, Any]) -> str:
    """Head and table; a star marks an interval without zero."""
    run, clean = result['run'], result['clean']
    dropped = clean['num_pairs_dropped']
    drawn = 'categories' if clean['num_categories'] > 1 else 'episodes'
    rows = [format_row(record) for record in result['perturbations']]
    head = ('perturbation', 'clean', 'PCK@0.2', 'change', 'interval', 'p', '', 'pairs')
    parts = [
        f'{run["config"]}, {run["checkpoint"]}',
        f'clean: PCK@0.2 {100 * clean["PCK@0.2"]:.1f}, copying the support '
        f'{100 * clean["copy_support/PCK@0.2"]:.1f}; {clean["num_pairs"]:,} pairs in '
        f'{clean["num_episodes"]:,} episodes of {clean["num_categories"]} categories'
        + (f', {dropped:,} pairs dropped: a partial result' if dropped else ''),
        f'in percent; "interval" is that of the change ({100 * run["level"]:g} %, '
        f'paired, {drawn} drawn again, {run["num_resamples"]:,} resamples, seed '
        f'{run["seed"]})',
        format_columns(rows, [*head, 'lost']),
    ]
    return '\n\n'.join(parts)


def format_row(record: Mapping[str, Any]) -> list[str]:
    """Cells of a record."""
    cells = ['-'] * 6
    if 'PCK@0.2' in record:
        whole = record['over_categories']
        row = whole if whole['interval'] else record['over_episodes']
        cells = difference_cells(row)
    counts = (f'{record[key]:,}' for key in ('num_pairs', 'num_pairs_left_out'))
    return [record['label'], *cells, *counts]
