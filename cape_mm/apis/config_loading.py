"""From a config file and command-line options to the config of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError
from mmengine.logging import print_log

from ..errors import ConfigError
from .config_options import check_option_names, spread_data_options, warn_data_roots

BFLOAT16_CAPABILITY = (8, 0)
"""Ampere; ``torch.cuda.is_bf16_supported`` also counts GPUs that emulate it."""

OWN_LENGTH = {'begin', 'end', 'T_max', 'total_iters', 'total_steps', 'milestones'}
"""Keys by which a schedule has a length, or places, of its own."""


def load_config(path: str | Path, cfg_options: Mapping | None = None) -> Config:
    """Read a config file and merge overrides into it.

    An override of the top-level ``data_root`` or ``split`` reaches all data sets, and
    one of ``train_ann_file``, ``val_ann_file`` or ``test_ann_file`` that loader's data
    sets; MMEngine itself does not recompute what a config derived from a variable, so
    an override of any other variable is refused.

    Raises:
        ConfigError: the file, or a module that it imports, is missing or unreadable;
            an override names an unknown top-level key or a variable, or does not fit
            the config's structure.
    """
    path = Path(path)
    if not path.is_file():
        found = sorted(str(p) for p in path.parent.glob('*.py'))
        hint = f' Found there: {", ".join(found)}.' if found else ''
        raise ConfigError(f'config file {path} does not exist.{hint}')
    try:
        cfg = Config.fromfile(path)
    except (SyntaxError, OSError, ConfigParsingError) as error:
        raise ConfigError(f'config file {path} can not be read: {error}') from error
    except ImportError as error:
        while error.__context__ is not None:
            error = error.__context__
        if not isinstance(error, ModuleNotFoundError):
            raise  # of the module itself
        raise ConfigError(
            f'{path}: custom_imports: {error}. Put the folder of your own modules on '
            f'PYTHONPATH: PYTHONPATH=FOLDER python tools/...'
        ) from error
    options = dict(cfg_options or {})
    check_option_names(cfg, options)
    try:
        cfg.merge_from_dict(options)
    except (TypeError, KeyError) as error:
        raise ConfigError(f'cfg_options do not fit {path}: {error}') from error
    spread_data_options(cfg, options)
    warn_data_roots(cfg, options)
    return cfg


def set_work_dir(cfg: Config, work_dir: str | Path | None) -> None:
    """Set the work directory: argument, else config, else ``work_dirs/<config>``."""
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(cfg.filename).stem)


def set_amp(cfg: Config, amp: bool) -> None:
    """Switch mixed precision on if asked for, in the form that the device has.

    A GPU gets MMEngine's ``AmpOptimWrapper``, in bfloat16 where it has units for that
    (no loss scaling needed), else in float16 with dynamic loss scaling; the CPU gets
    bfloat16 autocast through ``CpuAmpOptimWrapper``, also where the config itself asks
    for ``AmpOptimWrapper``.

    Raises:
        ConfigError: the config's own wrapper is of another type.
    """
    wrapper = cfg.get('optim_wrapper') or {}
    kind = wrapper.get('type', 'OptimWrapper')
    if not amp and kind != 'AmpOptimWrapper':
        return
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'CpuAmpOptimWrapper'):
        raise ConfigError(f'amp does not know how to change optim_wrapper {kind!r}')
    if torch.cuda.is_available():
        wrapper.type = 'AmpOptimWrapper'
        has_bfloat16 = torch.cuda.get_device_capability() >= BFLOAT16_CAPABILITY
        wrapper.setdefault('dtype', 'bfloat16' if has_bfloat16 else 'float16')
        # a scaler asks the GPU after every backward pass whether all is finite
        is_float16 = wrapper.dtype == 'float16'
        no_scaling = dict(enabled=False)
        wrapper.setdefault('loss_scale', 'dynamic' if is_float16 else no_scaling)
        return
    wrapper.type = 'CpuAmpOptimWrapper'
    for key in ('loss_scale', 'dtype', 'use_fsdp'):
        wrapper.pop(key, None)
    print_log('no GPU: mixed precision is bfloat16 autocast on the CPU', 'current')


def count_in_iterations(cfg: Config) -> None:
    """Let schedules of a training without epochs end with it, in place.

    MMEngine takes such a training for a single epoch: a schedule that counts epochs,
    converted to iterations or not, would end after the first pass of the loader.
    """
    loop = cfg.get('train_cfg') or {}
    if loop.get('by_epoch', True) and loop.get('type') != 'IterBasedTrainLoop':
        return
    given = cfg.get('param_scheduler') or []
    for entry in [given] if isinstance(given, dict) else given:
        if entry.get('by_epoch', True) and not OWN_LENGTH & entry.keys():
            entry.by_epoch = False
            entry.pop('convert_to_iter_based', None)
            print_log(
                f'{entry.get("type")}: counts iterations and ends with the training, '
                f'which has no epochs',
                'current',
            )
