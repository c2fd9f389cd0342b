"""What the folder of a fold says about it: begun, trained, finished, or another's.

``<work_dir>/split<N>/`` is the work directory of one training. ``fold.json`` names the
complete config that it belongs to; ``metrics.json``, once it carries that config's
fingerprint under ``fold``, is the fold's result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ...apis.resuming import list_checkpoints
from ...errors import CheckpointError, ConfigError
from ...evaluation.report import write_metrics
from ...utils.json_file import read_json as read_json_file
from .folds import KFold

PROTOCOL_KEYS = (
    *('mode', 'num_shots', 'num_queries', 'episodes_per_category'),
    *('distinct_images', 'draw_seed'),
)
"""Arguments of the test sampler that decide how a result was measured."""
NUM_SHOWN = 5


def fingerprint(config: Mapping) -> str:
    """SHA-256 of a config, whatever the order of its keys."""
    text = json.dumps(config, sort_keys=True, default=str)
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


def open_fold(kfold: KFold, split: int) -> dict:
    """The state of a fold; a new folder is claimed for this config.

    Returns:
        ``fold.json``: ``split``, ``config``, ``trained``.

    Raises:
        ConfigError: the folder belongs to another config or split, or holds a training
            that says nothing of its config.
    """
    folder, config = kfold.folder(split), kfold.config_of(split)
    path = folder / 'fold.json'
    state = read_json(path)
    if state is None:
        if (folder / 'last_checkpoint').exists() or (folder / 'metrics.json').exists():
            raise ConfigError(
                f'{folder} holds a training that kfold.py has not made. Use '
                f'another --work-dir, or move it away.'
            )
        state = dict(split=split, config=config, trained=False)
        with expect_writable(path):
            write_metrics(state, path)
    differing = find_differences(state.get('config') or {}, config)
    if differing or state.get('split') != split:
        more = ', ...' if differing[NUM_SHOWN:] else ''
        listed = ', '.join(differing[:NUM_SHOWN]) or 'split'
        raise ConfigError(
            f'{path}: this fold was begun with another config or other --cfg-options; '
            f'what differs: {listed}{more}. Repeat those, or use another --work-dir.'
        )
    return state


def find_differences(one: object, other: object, path: str = '') -> list[str]:
    """Dotted paths of what two configs do not share."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        found = []
        for key in dict.fromkeys([*one, *other]):
            below = f'{path}.{key}' if path else str(key)
            if (key in one) != (key in other):
                found.append(below)
            else:
                found += find_differences(one.get(key), other.get(key), below)
        return found
    return [] if one == other else [path or '(all)']


def mark_trained(kfold: KFold, split: int, state: Mapping) -> None:
    """Remember that the training of a fold has run to its end."""
    path = kfold.folder(split) / 'fold.json'
    with expect_writable(path):
        write_metrics(dict(state, trained=True), path)


def mark_finished(kfold: KFold, split: int, state: Mapping) -> None:
    """Sign the metrics that a test has just written: the fold is finished.

    Raises:
        ConfigError: the test has written none.
    """
    path = kfold.folder(split) / 'metrics.json'
    metrics = read_json(path)
    if metrics is None:
        raise ConfigError(f'{path}: the test of split {split} has written no metrics')
    sampler = (state['config'].get('test_dataloader') or {}).get('sampler') or {}
    metrics['fold'] = dict(
        split=split,
        config_sha256=fingerprint(state['config']),
        protocol={key: sampler[key] for key in PROTOCOL_KEYS if key in sampler},
    )
    with expect_writable(path):
        write_metrics(metrics, path)


def read_result(kfold: KFold, split: int) -> dict | None:
    """Metrics of a finished fold; None of one that is not.

    Raises:
        ConfigError: the metrics belong to another config or split.
    """
    path = kfold.folder(split) / 'metrics.json'
    metrics = read_json(path)
    if metrics is None or 'fold' not in metrics:
        return None
    expected = (split, fingerprint(kfold.config_of(split)))
    if (metrics['fold'].get('split'), metrics['fold'].get('config_sha256')) != expected:
        raise ConfigError(
            f'{path} belongs to another config or split than {kfold.config} with split '
            f'{split} and these --cfg-options. Repeat those that it was made with, or '
            f'use another --work-dir.'
        )
    return metrics


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


@contextmanager
def expect_writable(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a message.

    Raises:
        ConfigError: a file could not be written; an older one is still there.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(f'{path} can not be written: {error}') from error


def read_json(path: Path) -> dict | None:
    """A JSON object, None where there is no file.

    Raises:
        ConfigError: the file is something else.
        MissingDataError: the system refuses to read it.
    """
    if not path.is_file():
        return None
    return read_json_file(path, 'a file of a fold', error_type=ConfigError)
