"""Checks of a config before anything expensive starts."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mmengine.registry import WEIGHT_INITIALIZERS, Registry
from mmpose.registry import (
    DATA_SAMPLERS,
    DATASETS,
    LOOPS,
    METRICS,
    MODELS,
    TRANSFORMS,
)

from ..datasets.multi_source_dataset import dataset_arguments, read_sources
from ..datasets.splits import files_of_config
from ..errors import CheckpointError, ConfigError, MissingDataError
from .config_advice import warn_about_templates, warn_frozen_random_norm
from .graph_checks import check_training_graph

REGISTRY_KEYS = {'type', '_scope_'}
WORLD_SIZE_VARIABLES = {
    'pytorch': 'WORLD_SIZE',
    'mpi': 'OMPI_COMM_WORLD_SIZE',
    'slurm': 'SLURM_NTASKS',
}
RUNNER_SETS = {'dataset'}
"""Sampler argument that MMEngine's Runner passes itself."""


def check_config(cfg: Mapping, mode: str) -> None:
    """Refuse a config that cannot work, with one message that says what to do.

    What works but hardly trains is logged as a warning.

    Args:
        cfg: the merged config.
        mode: ``'train'`` (training and validation data) or ``'test'``.

    Raises:
        ConfigError: an unknown key or type, batches of unequal size, an
            accumulation that is no positive integer, or CUDA graphs of what can't be
            recorded.
        MissingDataError: a data root or an annotation file does not exist.
        CheckpointError: the file to load or resume from does not exist.
    """
    for name in loaders_in_use(cfg, mode):
        check_dataloader(cfg[name], name)
    for name in loaders_in_use(cfg, mode):
        for dataset in iterate_datasets(cfg[name].get('dataset')):
            has_variable = cfg.get('data_root') == dataset.get('data_root')
            option = 'data_root' if has_variable else f'{name}.dataset.data_root'
            check_data_files(dataset, name, option)
        check_evaluator(cfg.get(name.replace('dataloader', 'evaluator')), name)
        loop_name = name.replace('dataloader', 'cfg')
        if (cfg.get(loop_name) or {}).get('type'):
            check_arguments(cfg[loop_name], LOOPS, loop_name)
    check_model(cfg.get('model'))
    warn_about_templates(cfg, loaders_in_use(cfg, mode))
    if mode == 'train':
        check_batches(cfg)
        check_training_graph(cfg)
        warn_frozen_random_norm(cfg)
    check_load_from(cfg.get('load_from'))


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


def check_dataloader(loader: Mapping, name: str) -> None:
    """Check types and argument names of a loader's data, transforms and sampler."""
    dataset = loader.get('dataset')
    if isinstance(dataset, Mapping) and 'sources' in dataset:
        check_dataset(dataset, f'{name}.dataset')
        for index, source in enumerate(read_sources(dataset['sources'])):
            arguments = dict(type='MP100EpisodeDataset') | dataset_arguments(source)
            check_dataset(arguments, f'{name}.dataset.sources.{index}')
    else:
        for leaf in iterate_datasets(dataset):
            check_dataset(leaf, f'{name}.dataset')
    sampler = loader.get('sampler')
    if isinstance(sampler, Mapping):
        check_arguments(sampler, DATA_SAMPLERS, f'{name}.sampler')
    if loader.get('persistent_workers') and not loader.get('num_workers'):
        raise ConfigError(
            f'{name}: num_workers=0 needs persistent_workers=False as well'
        )


def check_dataset(dataset: Mapping, where: str) -> None:
    """Check types and argument names of a data set and of its transforms."""
    check_arguments(dataset, DATASETS, where)
    for index, transform in enumerate(dataset.get('pipeline') or ()):
        if isinstance(transform, Mapping):
            check_arguments(transform, TRANSFORMS, f'{where}.pipeline.{index}')


def check_evaluator(evaluator: object, loader: str) -> None:
    """Check type and argument names of the metrics that belong to a loader."""
    metrics = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
    for metric in metrics:
        if isinstance(metric, Mapping):
            where = loader.replace('dataloader', 'evaluator')
            check_arguments(metric, METRICS, where)


def check_model(model: object) -> None:
    """Check types and argument names of the model and of its direct parts."""
    if not isinstance(model, Mapping):
        return
    check_arguments(model, MODELS, 'model')
    for name, part in model.items():
        if isinstance(part, Mapping) and 'type' in part:
            registry = WEIGHT_INITIALIZERS if name == 'init_cfg' else MODELS
            check_arguments(part, registry, f'model.{name}')


def check_arguments(component: Mapping, registry: Registry, where: str) -> None:
    """Check that a component's type is registered and takes all of its keys.

    Raises:
        ConfigError: names the key, what would be accepted, and close names.
    """
    kind = component.get('type')
    if kind is None:
        raise ConfigError(f"{where}: has no key 'type'")
    cls = registry.get(kind) if isinstance(kind, str) else kind
    if cls is None:
        raise ConfigError(
            f'{where}: type {kind!r} is not registered'
            f'{suggest(kind, registered_names(registry))}'
        )
    accepted = accepted_arguments(cls) if isinstance(cls, type) else None
    if accepted is None:
        return
    for key in component:
        if key not in accepted | REGISTRY_KEYS:
            known = accepted - (RUNNER_SETS if registry is DATA_SAMPLERS else set())
            raise ConfigError(
                f'{where}: {cls.__name__} has no argument {key!r}'
                f'{suggest(key, known)}. It takes: {", ".join(sorted(known))}.'
            )


def accepted_arguments(cls: type) -> set[str] | None:
    """Names that a constructor accepts; None if it accepts any.

    ``**kwargs`` is followed to the constructors of the base classes.
    """
    names: set[str] = set()
    for base in inspect.getmro(cls):
        if '__init__' not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        names |= {
            p.name
            for p in parameters
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        }
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
    return None


def registered_names(registry: Registry) -> set[str]:
    """Names in a registry and its parents."""
    names = set(registry.module_dict)
    return names | registered_names(registry.parent) if registry.parent else names


def suggest(word: str, known: Iterable[str]) -> str:
    """``' (did you mean x?)'`` for the nearest known names, or nothing."""
    close = difflib.get_close_matches(str(word), sorted(known), n=2, cutoff=0.6)
    return f' (did you mean {" or ".join(map(repr, close))}?)' if close else ''


def check_data_files(dataset: Mapping, where: str, option: str) -> None:
    """Check that a data set's root, annotation file and images folder exist.

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
    elif root and not has_image_folders(dataset):
        problem = f'no folder with images in data root {str(root)!r}'
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


def has_image_folders(dataset: Mapping) -> bool:
    """Whether the image folder exists, or category folders in the root itself."""
    root = Path(dataset['data_root'])
    if (root / image_prefix(dataset)).is_dir():
        return True
    annotations = Path(next(iter(files_of_config(dataset)), 'annotations/x')).parts[0]
    return any(p.is_dir() and p.name != annotations for p in root.iterdir())


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
    """Check that all micro-batches are equal and the accumulation makes sense.

    Raises:
        ConfigError: ``accumulative_counts`` is no positive integer, or the last batch
            of a rank would be smaller and yet weigh as much as the others.
    """
    counts = (cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    if isinstance(counts, bool) or not isinstance(counts, int) or counts < 1:
        raise ConfigError(
            f'optim_wrapper.accumulative_counts must be a positive integer '
            f'(micro-batches per update), got {counts!r}'
        )
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
    variable = WORLD_SIZE_VARIABLES.get(launcher)
    return int(os.environ.get(variable, 1)) if variable else 1


def check_load_from(path: str | None) -> None:
    """Check that a local checkpoint exists; addresses (``x://``) are left alone.

    Raises:
        CheckpointError: it does not.
    """
    if path is not None and '://' not in str(path) and not Path(path).is_file():
        raise CheckpointError(
            f'load_from: checkpoint {path} does not exist. Nothing was started.'
        )
