"""What the folds of a config are: one split, one folder, one set of overrides each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...apis.config_checks import iterate_datasets
from ...apis.config_loading import load_config
from ...apis.config_options import LOADERS, parse_cfg_options
from ...datasets.splits import uses_split
from ...errors import ConfigError

PLACEHOLDER = '{split}'
ALL_SPLITS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class KFold:
    """A config to be run once per split.

    Attributes:
        config: config file.
        work_dir: one folder per split and the reports go here.
        splits: the splits that make up the whole.
        options: ``key=value`` overrides; ``{split}`` in them is filled in. ``split=N``
            is added, unless they have one or the config's files have fixed names.
        amp: mixed precision in training.
        gpus: processes per fold, one per GPU.
    """

    config: Path
    work_dir: Path
    splits: tuple[int, ...] = ALL_SPLITS
    options: tuple[str, ...] = ()
    amp: bool = False
    gpus: int = 1

    def __post_init__(self) -> None:
        if not self.splits or len(set(self.splits)) < len(self.splits):
            raise ConfigError(f'--splits: each once, at least one; got {self.splits}')
        if self.gpus < 1:
            raise ConfigError(f'--gpus must be at least 1, got {self.gpus}')

    def options_of(self, split: int) -> tuple[str, ...]:
        """The overrides of one fold.

        Raises:
            ConfigError: nothing in the config depends on the split.
        """
        filled = tuple(o.replace(PLACEHOLDER, str(split)) for o in self.options)
        if any(option.startswith('split=') for option in filled):
            return filled
        if self._has_split(filled):
            return (*filled, f'split={split}')
        if filled == self.options:
            raise ConfigError(
                f'{self.config}: nothing in it depends on the split. Say what does by '
                f"'{PLACEHOLDER}' in a value, e.g. --cfg-options "
                f'data_root=data/fold_{PLACEHOLDER}'
            )
        return filled

    def _has_split(self, options: Sequence[str]) -> bool:
        cfg = load_config(self.config, parse_cfg_options(options))
        datasets = ((cfg.get(f'{n}_dataloader') or {}).get('dataset') for n in LOADERS)
        return any(uses_split(leaf) for d in datasets for leaf in iterate_datasets(d))

    def folder(self, split: int) -> Path:
        """Work directory of one fold."""
        return Path(self.work_dir) / f'split{split}'

    def config_of(self, split: int) -> dict:
        """The complete config of one fold, as JSON would give it back.

        Raises:
            ConfigError: the config does not exist, or an override does not fit.
        """
        cfg = load_config(self.config, parse_cfg_options(self.options_of(split)))
        return json.loads(json.dumps(cfg.to_dict(), default=str))
