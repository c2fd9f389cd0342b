"""What is checked in a config before anything expensive starts.

Types and argument names are MMEngine's to check, when it builds the parts; what it says
becomes one message that names the key: :func:`explain_build_errors`.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from ..datasets.splits import files_of_config
from ..errors import CapeError, CheckpointError, ConfigError, MissingDataError
from ..utils.value_checks import check_at_least, check_not_negative
from .launching import SOURCES

BACKBONES = ('backbone', 'support_backbone')
COUNTS_IN_TRAINING = {
    'train_cfg.max_epochs': 1,
    'train_cfg.max_iters': 1,
    'train_cfg.val_interval': 1,
    'optim_wrapper.accumulative_counts': 1,
    'auto_scale_lr.base_batch_size': 1,
    'randomness.seed': 0,
}
"""Keys with their smallest values."""
NOT_NEGATIVE = ('optim_wrapper.optimizer.lr', 'optim_wrapper.clip_grad.max_norm')
UNREGISTERED = re.compile(r'^(\S+) is not in the (.+? registry)')
WRONG_ARGUMENT = re.compile(
    r"(?:(\w+)\.)?__init__\(\) (?:got an unexpected keyword argument '(\w+)'|"
    r'missing \d+ required)'
)


def check_config(cfg: Mapping, mode: str) -> None:
    """Refuse a config that cannot work, with one message that says what to do.

    What works but hardly trains is logged as a warning.

    Args:
        cfg: the merged config.
        mode: ``'train'`` (training and validation data) or ``'test'``.

    Raises:
        ConfigError: a number without meaning, batches of unequal size, or CUDA graphs
            of what can't be recorded.
        MissingDataError: a data root or an annotation file does not exist.
        CheckpointError: the file to load or resume from does not exist.
    """
    check_numbers(cfg, mode)
    for name in loaders_in_use(cfg, mode):
        check_loader(cfg, name)
    if mode == 'train':
        check_batches(cfg)
        check_training_graph(cfg)
        warn_frozen_random_norm(cfg)
    check_load_from(cfg.get('load_from'))


@contextmanager
def explain_build_errors(cfg: Mapping | Config) -> Iterator[None]:
    """Name the key of a config that MMEngine could not build something from.

    Raises:
        ConfigError: a type is not registered, takes no such argument, or refuses the
            value of one, or a package is missing that it needs.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AssertionError, ImportError) as error:
        part = part_being_built(error)
        message = str(error.args[0]) if error.args else ''
        unregistered = UNREGISTERED.match(message)
        wrong = WRONG_ARGUMENT.search(message)
        is_defect = isinstance(error, (KeyError, TypeError)) and not (
            unregistered or wrong
        )
        if isinstance(error, CapeError) or part is None or is_defect or not message:
            raise
        content, key = dict(cfg.items()), ''
        places = find_components(content, lambda one: one == part)
        if unregistered:
            kind, registry = unregistered.groups()
            key = '.type'
            places = find_components(content, lambda one: one.get('type') == kind)
            message = (
                f'type {kind!r} is not in the {registry}; a module of your own is '
                f"named in custom_imports=dict(imports=['cape_mm', ...]) and found "
                f'beside the tool or on PYTHONPATH'
            )
        elif wrong:
            owner, name = wrong.groups()
            key = f'.{name}' if name else ''
            places = find_components(
                content,
                lambda one: one.get('type') == owner and (not name or name in one),
            ) or find_components(content, lambda one: name in one)
        found = ' or '.join(f'{place}{key}' for place in places)
        raise ConfigError(f'{found}: {message}' if found else message) from error


def part_being_built(error: BaseException) -> Mapping | None:
    """The config that MMEngine was building from when an error came, the innermost."""
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == 'build_from_cfg':
            found = frame.f_locals.get('cfg')
    return found


def find_components(
    config: object, is_wanted: Callable[[Mapping], bool], path: str = ''
) -> list[str]:
    """Dotted places of the wanted parts of a config."""
    found = [path] if isinstance(config, Mapping) and path and is_wanted(config) else []
    if isinstance(config, Mapping):
        parts = config.items()
    else:
        parts = enumerate(config) if isinstance(config, (list, tuple)) else ()
    for name, part in parts:
        found += find_components(part, is_wanted, f'{path}.{name}'.lstrip('.'))
    return found


def loaders_in_use(cfg: Mapping, mode: str) -> list[str]:
    """Names of the data loaders that a run builds, in order.

    Raises:
        ConfigError: the config has none for this mode.
    """
    names = ['train', 'val'] if mode == 'train' else ['test']
    used = [f'{n}_dataloader' for n in names if cfg.get(f'{n}_dataloader') is not None]
    if f'{names[0]}_dataloader' not in used:
        raise ConfigError(f'the config has no {names[0]}_dataloader: nothing to {mode}')
    return used


def check_numbers(cfg: Mapping, mode: str) -> None:
    """Check what a run counts with; MMEngine would fail in the middle of it, or hang.

    Args:
        cfg: the merged config.
        mode: ``'train'`` or ``'test'``.

    Raises:
        ConfigError: names the key.
    """
    least = dict(COUNTS_IN_TRAINING) if mode == 'train' else {}
    for name in loaders_in_use(cfg, mode):
        least |= {f'{name}.batch_size': 1, f'{name}.num_workers': 0}
    for key, smallest in least.items():
        value = read_key(cfg, key)
        if value is not None:
            check_at_least(key, value, smallest)
    for key in NOT_NEGATIVE if mode == 'train' else ():
        if (value := read_key(cfg, key)) is not None:
            check_not_negative(key, value)


def read_key(cfg: Mapping, key: str) -> object:
    """The value of a dotted key, None where there is none."""
    value = cfg
    for name in key.split('.'):
        value = value.get(name) if hasattr(value, 'get') else None
    return value


def iterate_datasets(dataset: object) -> Iterator[Mapping]:
    """The data sets of a config, those inside wrappers and sources included."""
    if isinstance(dataset, (list, tuple)):
        for item in dataset:
            yield from iterate_datasets(item)
    elif isinstance(dataset, Mapping):
        wrapped = (dataset.get(key) for key in ('datasets', 'dataset', 'sources'))
        inner = next((value for value in wrapped if value is not None), None)
        if inner is None:
            yield dataset
        else:
            yield from iterate_datasets(inner)


def check_loader(cfg: Mapping, name: str) -> None:
    """Check that the data of a loader exist, and its number of processes.

    Raises:
        ConfigError: ``persistent_workers`` without any worker.
        MissingDataError: see :func:`check_data_files`.
    """
    loader = cfg[name]
    for dataset in iterate_datasets(loader.get('dataset')):
        has_variable = cfg.get('data_root') == dataset.get('data_root')
        option = 'data_root' if has_variable else f'{name}.dataset.data_root'
        check_data_files(dataset, name, option)
    if loader.get('persistent_workers') and not loader.get('num_workers'):
        raise ConfigError(
            f'{name}: num_workers=0 needs persistent_workers=False as well'
        )


def check_data_files(dataset: Mapping, where: str, option: str) -> None:
    """Check that a data set's root and annotation files exist.

    Args:
        dataset: the data set's config.
        where: the loader's name, for the message.
        option: the config key that sets the data root, for the message.

    Raises:
        MissingDataError: says what is missing, and the folder tree expected.
    """
    root = dataset.get('data_root')
    ann_paths = [Path(root or '', name) for name in files_of_config(dataset)]
    missing = [str(path) for path in ann_paths if not path.is_file()]
    if root and not Path(root).is_dir():
        problem = f'data root {str(root)!r} does not exist'
    elif missing:
        problem = f'annotation file {missing[0]!r} does not exist'
    else:
        return
    raise MissingDataError(
        f'{where}: {problem} (looked from {Path.cwd()}).\n'
        f'{describe_layout(dataset)}\n'
        f'Set another place with --cfg-options {option}=..., or run `make demo` to see '
        f'the whole system work now on data that it makes itself.'
    )


def image_prefix(dataset: Mapping) -> str:
    """Image folder below the data root; the default is ``MP100EpisodeDataset``'s."""
    return (dataset.get('data_prefix') or {}).get('img', 'images/').strip('/')


def describe_layout(dataset: Mapping) -> str:
    """The folder tree that a data set expects."""
    root = str(dataset.get('data_root') or '.').rstrip('/')
    ann_files = files_of_config(dataset) or ('annotations/<name>.json',)
    images = '/'.join(filter(None, (image_prefix(dataset), '<folder>/<image>.jpg')))
    lines = ['Expected:', f'  {root}/', *(f'    {name}' for name in ann_files)]
    lines.append(f'    {images}')
    if 'mp100' in f'{root}/{ann_files[0]}'.lower():
        lines.append('How to get MP-100 and prepare it: docs/mp100.md.')
    return '\n'.join(lines)


def check_batches(cfg: Mapping) -> None:
    """Check that all micro-batches are equal.

    Raises:
        ConfigError: the last batch of a rank would be smaller and yet weigh as much as
            the others.
    """
    loader = cfg['train_dataloader']
    batch_size = loader.get('batch_size', 1)
    episodes = (loader.get('sampler') or {}).get('episodes_per_epoch')
    if not isinstance(episodes, int) or loader.get('drop_last'):
        return
    world_size = world_size_from_env(cfg.get('launcher', 'none'))
    per_rank = -(-episodes // world_size)
    if per_rank % batch_size:
        step = batch_size * world_size
        below, above = episodes // step * step, -(-episodes // step) * step
        raise ConfigError(
            f'train_dataloader: episodes_per_epoch={episodes} is not divisible by '
            f'batch_size x processes = {batch_size} x {world_size}, so the last batch '
            f'would be smaller and yet weigh as much as the others. Use '
            f'episodes_per_epoch={f"{below} or " if below else ""}{above}, or '
            f'drop_last=True.'
        )


def world_size_from_env(launcher: str) -> int:
    """Number of processes that a launcher started, before they have met."""
    names = SOURCES.get(launcher)
    return int(os.environ.get(names['WORLD_SIZE'], 1)) if names else 1


def check_load_from(path: str | None) -> None:
    """Check that a local checkpoint exists; addresses (``x://``) are left alone.

    Raises:
        CheckpointError: it does not.
    """
    if path is not None and '://' not in str(path) and not Path(path).is_file():
        raise CheckpointError(
            f'load_from: checkpoint {path} does not exist. Nothing was started.'
        )


def check_training_graph(cfg: Mapping) -> None:
    """Refuse graphs of training steps together with what they can't record.

    Activation checkpointing: what is computed again in the backward pass first restores
    the state of the random numbers, and a recording may not read it.

    Args:
        cfg: the merged config.

    Raises:
        ConfigError: names the keys of both.
    """
    model = cfg.get('model') or {}
    options = model.get('train_cfg')
    if not isinstance(options, Mapping) or not options.get('cuda_graph'):
        return
    found = find_components(model, lambda part: part.get('with_cp'))
    places = [f'model.{place}.with_cp' for place in found]
    if cfg.get('activation_checkpointing'):
        places.append('activation_checkpointing')
    if places:
        raise ConfigError(
            f'model.train_cfg.cuda_graph=True does not go with activation '
            f'checkpointing ({", ".join(places)}): a step that computes parts of '
            f'itself again can not be recorded. Switch one of them off.'
        )


def warn_frozen_random_norm(cfg: Mapping) -> None:
    """Log a warning for each backbone with frozen statistics of a random network.

    That is BatchNorm (the default of a ResNet) with ``norm_eval=True`` and nothing
    that gives weights: no ``Pretrained`` in ``init_cfg``, no ``load_from``, no resume.
    """
    model = cfg.get('model') or {}
    if cfg.get('load_from') or cfg.get('resume') or gives_weights(model):
        return
    for name in BACKBONES:
        backbone = model.get(name)
        if not isinstance(backbone, Mapping) or gives_weights(backbone):
            continue
        norm = (backbone.get('norm_cfg') or {}).get('type', 'BN')
        if backbone.get('norm_eval') and norm in ('BN', 'BN2d', 'SyncBN'):
            print_log(
                f'model.{name}: norm_eval=True without pretrained weights: frozen '
                f'BatchNorm statistics of a random network hardly train; use '
                f'configs/cape_custom_scratch.py (group normalisation) or load_from',
                'current',
                logging.WARNING,
            )


def gives_weights(component: Mapping) -> bool:
    """Whether a component's ``init_cfg`` loads a file."""
    init_cfg = component.get('init_cfg') or ()
    entries = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg
    return any(entry.get('type') == 'Pretrained' for entry in entries)
