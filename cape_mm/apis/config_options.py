"""Overrides of a config by ``--cfg-options``: none may silently do nothing."""

from __future__ import annotations

import argparse
import difflib
import inspect
import logging
from collections.abc import Iterable, Mapping, Sequence

from mmengine.config import Config, DictAction
from mmengine.logging import print_log
from mmengine.runner import Runner

from ..datasets.splits import uses_split
from ..errors import ConfigError
from .config_checks import iterate_datasets

LOADERS = ('train', 'val', 'test')
SPREAD_KEYS = {'data_root', 'split', *(f'{name}_ann_file' for name in LOADERS)}
"""Variables that :func:`spread_data_options` hands on to the data sets."""
CONFIG_ONLY_KEYS = {
    'activation_checkpointing',
    'compile',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
}
"""Top-level keys that MMEngine reads from the config, not as a Runner argument."""


def parse_cfg_options(pairs: Sequence[str] | None) -> dict:
    """Parse ``key=value`` texts as MMEngine does, e.g. ``a.b=3`` or ``c="[1,2]"``.

    Raises:
        ConfigError: a text has no ``=``.
    """
    for pair in pairs or ():
        if '=' not in pair:
            raise ConfigError(f'cfg_options: expected key=value, got {pair!r}')
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=DictAction, default={})
    return parser.parse_args(['--options', *(pairs or ())]).options


def suggest(word: str, known: Iterable[str]) -> str:
    """``' (did you mean x?)'`` for the nearest known names, or nothing."""
    close = difflib.get_close_matches(str(word), sorted(known), n=2, cutoff=0.6)
    return f' (did you mean {" or ".join(map(repr, close))}?)' if close else ''


def check_option_names(cfg: Config, options: Iterable[str]) -> None:
    """Refuse overrides of top-level keys that nothing reads.

    Raises:
        ConfigError: a key is unknown, or is a variable from which the config file
            computed other values: MMEngine does not recompute them.
    """
    read = set(inspect.signature(Runner.__init__).parameters) - {'self'}
    read |= CONFIG_ONLY_KEYS | SPREAD_KEYS
    for option in options:
        head = option.split('.')[0]
        if head in read:
            continue
        if head not in cfg:
            raise ConfigError(
                f'cfg_options: {cfg.filename} has no top-level key {head!r}'
                f'{suggest(head, read)}'
            )
        raise ConfigError(
            f'cfg_options: {head!r} is a variable of {cfg.filename}, and MMEngine '
            f'does not recompute what the config derived from it, so nothing would '
            f'change. Set the keys that use it, e.g. train_dataloader.dataset...'
        )


def spread_data_options(cfg: Config, options: Mapping) -> None:
    """Hand overrides of :data:`SPREAD_KEYS` on to the data sets, in place.

    Raises:
        ConfigError: a ``split`` is given, and a data set's files have fixed names.
    """
    for name in LOADERS:
        loader = f'{name}_dataloader'
        for dataset in main_datasets((cfg.get(loader) or {}).get('dataset')):
            for option, key in (
                ('data_root', 'data_root'),
                (f'{name}_ann_file', 'ann_file'),
            ):
                if option in options and f'{loader}.dataset.{key}' not in options:
                    dataset[key] = options[option]
            if 'split' in options and f'{loader}.dataset.split' not in options:
                set_split(dataset, options['split'], loader)


def main_datasets(dataset: object) -> list[Mapping]:
    """What a config's own ``data_root`` is meant for: of sources, the first."""
    has_sources = isinstance(dataset, Mapping) and 'sources' in dataset
    return list(iterate_datasets(dataset))[: 1 if has_sources else None]


def set_split(dataset: dict, split: int, loader: str) -> None:
    """Set the split of a data set's config, in place.

    Raises:
        ConfigError: it has a fixed ``ann_file``, so that nothing would change.
    """
    if not uses_split(dataset):
        raise ConfigError(
            f'cfg_options split={split}: nothing would change in {loader}, whose '
            f"ann_file is {dataset.get('ann_file')!r}. Put '{{split}}' into that name, "
            f'or set the file itself: {loader.split("_")[0]}_ann_file=...'
        )
    dataset['split'] = split


def warn_data_roots(cfg: Config, options: Mapping) -> None:
    """Log where a loader reads from another place than the config's ``data_root``.

    A child config that only sets the variable changes nothing, because the base config
    has used it already. A loader's own override is taken as meant.
    """
    wanted = cfg.get('data_root')
    for loader in (f'{name}_dataloader' for name in LOADERS):
        option = f'{loader}.dataset.data_root'
        if wanted is None or option in options:
            continue
        datasets = main_datasets((cfg.get(loader) or {}).get('dataset'))
        others = [d['data_root'] for d in datasets if 'data_root' in d]
        others = [root for root in dict.fromkeys(others) if root != wanted]
        if others:
            print_log(
                f'{loader} reads from {", ".join(map(repr, others))}, not from the '
                f"config's data_root {wanted!r}, which it does not use. To change it, "
                f'set {option} in the config, or data_root by --cfg-options.',
                'current',
                logging.WARNING,
            )
