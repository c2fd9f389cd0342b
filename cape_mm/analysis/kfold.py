"""All splits of a benchmark: train and test each, then mean and spread over them.

``<work_dir>/split<N>`` is the work directory of one split. It is finished once it holds
``metrics.json``; the same call again goes on where the last one stopped.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process

from ..apis import config_loading, runner
from ..apis.config_checks import iterate_datasets
from ..apis.config_options import LOADERS, parse_cfg_options
from ..apis.resuming import list_checkpoints
from ..datasets.splits import uses_split
from ..errors import CheckpointError, ConfigError, MissingDataError
from ..evaluation.report import (
    OVERALL_ROWS,
    format_columns,
    show_number,
    write_metrics,
)
from ..utils.atomic_write import try_folder, write_text_atomically
from ..utils.json_file import read_json

PLACEHOLDER = '{split}'
ALL_SPLITS = (1, 2, 3, 4, 5)
FLOORS = ('copy_support', 'matching')
STATISTICS = dict(mean='mean', std='sd', min='min', max='max')
"""Names of the statistics, and their headings."""


def run_kfold(
    config: str | Path,
    work_dir: str | Path | None = None,
    splits: Sequence[int] = ALL_SPLITS,
    cfg_options: Sequence[str] = (),
    amp: bool = False,
    launcher: str = 'none',
    allow_partial: bool = False,
    only: int | None = None,
    summary_only: bool = False,
) -> dict[str, Any] | None:
    """Train and test a config on every split, and summarise.

    Args:
        config: config file.
        work_dir: folder of all splits; default ``work_dirs/<config>_kfold``.
        splits: the splits that make up the whole.
        cfg_options: ``key=value`` overrides; ``{split}`` in them is filled in.
            ``split=N`` is added, unless they have one or the config's files have fixed
            names.
        amp: mixed precision in training.
        launcher: see :func:`cape_mm.apis.train`.
        allow_partial: give a mean, marked as partial, although splits or data are
            missing.
        only: run this split alone and summarise nothing.
        summary_only: run nothing.

    Returns:
        What :func:`summarise` returns; None of a single split, and on all but the main
        process.

    Raises:
        ConfigError: arguments that make no sense, nothing in the config depends on the
            split, or the folder can't be written.
        MissingDataError: splits or data are missing and no partial mean is allowed.
        CapeError: what makes a training or a test impossible.
    """
    if not splits or len(set(splits)) < len(splits):
        raise ConfigError(f'splits: each once, at least one; got {list(splits)}')
    if only is not None and only not in splits:
        raise ConfigError(f'fold {only} is none of splits {list(splits)}')
    folder = Path(work_dir or f'work_dirs/{Path(config).stem}_kfold')
    options = {split: options_of(config, cfg_options, split) for split in splits}
    if not summary_only:
        try_folder(folder, 'work_dir')
        for split in splits if only is None else [only]:
            run_split(config, folder, split, options[split], amp, launcher)
    if only is not None or not is_main_process():
        return None
    title = f'{config} over splits {", ".join(map(str, splits))}'
    return report(folder, splits, title, allow_partial)


def options_of(
    config: str | Path, cfg_options: Sequence[str], split: int
) -> dict[str, Any]:
    """The overrides of one split.

    Raises:
        ConfigError: nothing in the config depends on the split.
    """
    filled = [option.replace(PLACEHOLDER, str(split)) for option in cfg_options]
    options = parse_cfg_options(filled)
    cfg = config_loading.load_config(config, options)
    if 'split' in options:
        return options
    loaders = (cfg.get(f'{name}_dataloader') or {} for name in LOADERS)
    leaves = [d for one in loaders for d in iterate_datasets(one.get('dataset'))]
    if any(map(uses_split, leaves)):
        return dict(options, split=split)
    if filled == list(cfg_options):
        raise ConfigError(
            f'{config}: nothing in it depends on the split. Say what does by '
            f"'{PLACEHOLDER}' in a value, e.g. --cfg-options "
            f'data_root=data/fold_{PLACEHOLDER}'
        )
    return options


def run_split(
    config: str | Path,
    folder: Path,
    split: int,
    options: Mapping[str, Any],
    amp: bool,
    launcher: str,
) -> None:
    """Train a split, or go on with it, and test its best checkpoint."""
    work_dir = folder / f'split{split}'
    if (work_dir / 'metrics.json').is_file():
        print(f'split {split}: finished, kept ({work_dir})')
        return
    print(f'== split {split}: {work_dir}', flush=True)
    common = dict(work_dir=work_dir, cfg_options=options, launcher=launcher)
    runner.train(config, resume='auto', amp=amp, **common)
    gc.collect()  # a runner's cycles hold its model
    torch.cuda.empty_cache()
    runner.test(config, choose_checkpoint(work_dir), **common)


def choose_checkpoint(folder: Path) -> Path:
    """The best checkpoint by validation, or else the last.

    Raises:
        CheckpointError: there is none.
    """
    # an interruption may leave the previous best beside the new one
    best = sorted(folder.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    chosen = best[-1:] or list_checkpoints(folder)[:1]
    if not chosen:
        raise CheckpointError(f'{folder}: the training has left no checkpoint')
    return chosen[0]


def report(
    folder: Path, splits: Sequence[int], title: str, allow_partial: bool
) -> dict[str, Any]:
    """Summarise what is finished; write ``kfold.md``, ``.tex`` and ``.json``.

    Raises:
        MissingDataError: nothing is finished; or, once the files are written, there is
            no mean.
        ConfigError: results that do not belong together.
    """
    paths = {split: folder / f'split{split}/metrics.json' for split in splits}
    results = {
        split: read_json(path, 'a metrics file', error_type=ConfigError)
        if path.is_file()
        else None
        for split, path in paths.items()
    }
    summary = summarise(results, allow_partial)
    notes = describe_notes(summary)
    markdown = f'# {title}\n\n{format_table(summary, "github")}\n\n'
    markdown += ''.join(f'- {note}\n' for note in notes)
    latex = f'% {title}; needs \\usepackage{{booktabs}}\n'
    latex += format_table(summary, 'latex_booktabs')
    latex += ''.join(f'\n% {note}' for note in notes) + '\n'
    write_text_atomically(folder / 'kfold.md', markdown)
    write_text_atomically(folder / 'kfold.tex', latex)
    write_metrics(dict(config=title, **summary), folder / 'kfold.json')
    print(f'{markdown}\nreports: {folder}/kfold.md, kfold.tex, kfold.json')
    if not summary['mean_of']:
        raise MissingDataError(f'{folder / "kfold.md"}: {notes[-1]}')
    return summary


def summarise(
    results: Mapping[int, Mapping[str, Any] | None], allow_partial: bool = False
) -> dict[str, Any]:
    """Mean and spread over the splits.

    Convention:
        - ``std`` is the sample standard deviation (n - 1); null for a single split
        - a statistic is null where a split has no value

    Args:
        results: metrics of every split, None of one that is not finished.
        allow_partial: give mean and spread also where a split is missing, or was
            measured on incomplete data.

    Returns:
        ``missing``, ``partial`` (by split, why), ``complete``, ``mean_of`` (the splits
        behind the mean, empty where it is refused), ``folds`` (what each was measured
        on) and ``metrics``: per name ``values`` by split, ``mean``, ``std``, ``min``
        and ``max``.

    Raises:
        MissingDataError: no split is finished.
        ConfigError: two splits were tested on the same episodes, or one on categories
            that it was trained on.
    """
    finished = {split: r for split, r in results.items() if r is not None}
    if not finished:
        raise MissingDataError(
            f'none of the splits {", ".join(map(str, results))} is finished'
        )
    check_comparable(finished)
    missing = [split for split in results if split not in finished]
    partial = {
        split: metrics['partial']['text'].removeprefix('partial: ')
        for split, metrics in finished.items()
        if metrics.get('partial')
    }
    complete = not missing and not partial
    is_given = complete or allow_partial
    first = next(iter(finished.values()))
    names = (name for name, value in first.items() if isinstance(value, (int, float)))
    return dict(
        missing=missing,
        partial=partial,
        complete=complete,
        mean_of=list(finished) if is_given else [],
        folds={split: metrics.get('run') for split, metrics in finished.items()},
        metrics={
            name: aggregate({s: m.get(name) for s, m in finished.items()}, is_given)
            for name in names
        },
    )


def aggregate(by_split: Mapping[int, float | None], is_given: bool) -> dict[str, Any]:
    """Values by split with their statistics, None where these are not given."""
    values = list(by_split.values())
    result: dict[str, Any] = dict(values=dict(by_split), **dict.fromkeys(STATISTICS))
    if is_given and None not in values:
        result.update(mean=statistics.fmean(values), min=min(values), max=max(values))
        result['std'] = statistics.stdev(values) if len(values) > 1 else None
    return result


def check_comparable(finished: Mapping[int, Mapping[str, Any]]) -> None:
    """Refuse splits that do not belong together; see :func:`summarise`."""
    seen: dict[str, int] = {}
    for split, metrics in finished.items():
        num_trained = metrics.get('trained_categories_in_test')
        if num_trained:
            raise ConfigError(
                f'split {split}: {num_trained} of the tested categories were trained '
                f'on, so its result says nothing about new ones'
            )
        episodes = (metrics.get('run') or {}).get('episodes_sha256')
        if episodes is not None and seen.setdefault(episodes, split) != split:
            raise ConfigError(
                f'splits {seen[episodes]} and {split} were tested on the same episodes '
                f'(episodes_sha256 {episodes[:12]}...): they are the same split. Does '
                f'--cfg-options change the data of every fold?'
            )


def format_table(summary: Mapping[str, Any], style: str) -> str:
    """The official values of all splits in a format of ``tabulate``; * is partial."""
    mark = '' if summary['complete'] else '*'
    table = summary['metrics']
    floors = [floor for floor in FLOORS if f'{floor}/PCK@0.2' in table]
    header = [
        'metric',
        *(f'split {s}{"*" * (s in summary["partial"])}' for s in summary['folds']),
        *(f'{heading}{mark}' for heading in STATISTICS.values()),
        *(f'{floor.replace("_", " ")}{mark}' for floor in floors),
    ]
    rows = []
    for name in (name for name in OVERALL_ROWS if name in table):
        entry, scale = table[name], 1 if name == 'EPE' else 100
        values = [*entry['values'].values(), *(entry[key] for key in STATISTICS)]
        values += [table.get(f'{f}/{name}', {}).get('mean') for f in floors]
        rows.append([name, *(show_number(value, scale) for value in values)])
    return format_columns(rows, header, style=style)


def describe_notes(summary: Mapping[str, Any]) -> list[str]:
    """What a reader has to know about the numbers, a sentence each."""
    notes = [
        'PCK, mPCK, AUC and NME in percent, EPE in pixels; sd is the sample standard '
        'deviation over splits (n - 1); copy support and matching are floors, means too'
    ]
    runs = [run or {} for run in summary['folds'].values()]
    versions = sorted({run.get('cape_mm_version', 'unknown') for run in runs})
    if len(versions) > 1:
        notes.append(f'measured with several versions: {", ".join(versions)}')
    for split, reason in summary['partial'].items():
        notes.append(f'split {split} is PARTIAL: {reason}')
    if summary['missing']:
        listed = ', '.join(map(str, summary['missing']))
        notes.append(f'NOT FINISHED: split {listed}')
    if not summary['mean_of']:
        notes.append(
            'no mean: not all splits are finished on complete data (--allow-partial)'
        )
    elif not summary['complete']:
        listed = ', '.join(map(str, summary['mean_of']))
        notes.append(
            f'PARTIAL MEAN over split {listed}: do not compare it with published '
            'numbers'
        )
    return notes
