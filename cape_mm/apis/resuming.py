"""Where a training goes on or starts from: a checkpoint that is whole, and fits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ..compat.checkpoint import NUM_SHOWN, check_architecture, read_checkpoint
from ..compat.checkpoint_file import check_integrity
from ..compat.stored_config import parse_text
from ..engine.trained_categories import remember_training
from ..errors import CheckpointError, UnsafeCheckpointError

POINTER_NAME = 'last_checkpoint'
RESTORED = (
    'optim_wrapper.optimizer.',
    'optim_wrapper.paramwise_cfg.',
    'param_scheduler.',
    'train_cfg.max_',
)
"""Starts of keys whose values a checkpoint brings along, or that decide on these."""
STEP_PATTERN = re.compile(r'(epoch|iter)_(\d+)\.pth')


def list_checkpoints(work_dir: str | Path) -> list[Path]:
    """Checkpoints to resume from, the newest first.

    The one that ``last_checkpoint`` names comes first, wherever the work directory was
    moved since; then those of the same kind before it. Later ones are of another,
    older run. Where the name is lost, the greatest epoch (or iteration) comes first.

    Args:
        work_dir: folder of a training.
    """
    named = _read_pointer(Path(work_dir) / POINTER_NAME)
    found = [path for path in Path(work_dir).glob('*.pth') if _step_of(path)]
    newest = _step_of(named) if named is not None else None
    if newest is not None:
        found = [path for path in found if _step_of(path)[0] == newest[0]]
        found = [path for path in found if _step_of(path)[1] < newest[1]]
    has_both = len({_step_of(path)[0] for path in found}) > 1
    found.sort(key=_time_of if has_both else _step_of, reverse=True)
    return found if named is None else [named, *found]


def _time_of(path: Path) -> float:
    return path.stat().st_mtime


def _read_pointer(pointer: Path) -> Path | None:
    """The file that ``last_checkpoint`` names; None if it names none."""
    try:
        text = pointer.read_text(encoding='utf-8').strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    if not text or '\0' in text:
        return None
    named = Path(text)
    beside = pointer.parent / named.name
    return beside if beside.is_file() else named


def _step_of(path: Path) -> tuple[str, int] | None:
    """``('epoch', 3)``, None for another name."""
    match = STEP_PATTERN.fullmatch(path.name)
    return (match[1], int(match[2])) if match else None


def find_last_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest checkpoint of a work directory that is whole, None without any.

    Damaged ones are passed over, and each is logged.

    Raises:
        CheckpointError: there are checkpoints, and none of them is whole.
        UnsafeCheckpointError: the newest holds what could run code.
    """
    reasons = []
    for path in list_checkpoints(work_dir):
        try:
            check_resumable(path)
        except UnsafeCheckpointError as error:
            if _is_archive(path):
                raise
            reasons.append(str(error))
        except CheckpointError as error:
            reasons.append(str(error))
        else:
            for reason in reasons:
                print_log(f'resume: {reason}', 'current', level=30)
            if reasons:
                print_log(f'resume: falling back to {path}', 'current', level=30)
            return path
    if not reasons:
        return None
    raise CheckpointError(
        f'resume: no checkpoint in {work_dir} is whole. Nothing was started; use '
        f'another work_dir to start afresh.\n  ' + '\n  '.join(reasons)
    )


def _is_archive(path: Path) -> bool:
    with path.open('rb') as file:
        return file.read(2) == b'PK'


def check_resumable(path: Path) -> None:
    """Read a checkpoint in full and compare it with its checksums.

    Raises:
        CheckpointError: it is gone or damaged.
    """
    check_integrity(path)
    read_checkpoint(path)


def set_resume(cfg: Config, resume: str | Path | bool | None) -> None:
    """Set where training goes on from.

    Args:
        cfg: config with its ``work_dir`` set; ``resume=True`` in it counts as asked.
        resume: None, ``'auto'`` (or True) for the latest whole checkpoint of the work
            directory, or a checkpoint's path.

    Raises:
        CheckpointError: the checkpoint does not exist, or none is whole. Only 'auto' in
            a work directory without any checkpoint starts from scratch, and says so.
    """
    if resume is None and cfg.get('resume'):
        resume = cfg.get('load_from') or 'auto'
    if not resume:
        return
    if resume in ('auto', True):
        path = find_last_checkpoint(cfg.work_dir)
        if path is None:
            cfg.resume = False
            print_log(
                f'resume: no checkpoint in {cfg.work_dir}, starting from scratch',
                'current',
            )
            return
    else:
        path = Path(resume)
        if not path.is_file():
            raise CheckpointError(
                f'resume: checkpoint {path} does not exist. Nothing was started; '
                f'leave the path out to take the latest one in {cfg.work_dir}.'
            )
        check_integrity(path)
    cfg.resume, cfg.load_from = True, str(path)


def check_start(runner: Runner, path: str | None, resume: bool) -> None:
    """Refuse to start from weights of another architecture.

    MMEngine loads what fits and only logs the rest. A resume must fit exactly; for
    fine-tuning (``load_from``), which may replace a part, half of the model must.

    Raises:
        CheckpointError: the weights do not fit the runner's model, or the file to
            resume from holds no state of a training.
    """
    if path is None or '://' in str(path):
        return
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    checkpoint = read_checkpoint(path)
    weights, expected = checkpoint['state_dict'], model.state_dict()
    others = [
        name
        for name, value in expected.items()
        if name not in weights or weights[name].shape != value.shape
    ]
    if resume or 2 * len(others) > len(expected):
        check_architecture(model, checkpoint, path)
    if not resume:
        runner.logger.info(describe_fit(len(expected), others))
        remember_training(runner.message_hub, checkpoint)
    elif not {'meta', 'optimizer', 'message_hub'} <= checkpoint.keys():
        raise CheckpointError(
            f'resume: {path} holds weights, but no state of a training. Start a new '
            f'one from these weights with load_from={path}.'
        )
    else:
        kept = describe_kept(checkpoint['meta'], runner.cfg)
        if kept:
            runner.logger.warning(
                f'resume: the optimizer, its learning rate and the schedule go on as '
                f'{path} has them, whatever the config says now: {kept}. To train '
                f'under these, start from its weights: load_from={path}'
            )


def describe_kept(meta: Mapping, cfg: Config) -> str:
    """What a resume does not take from the config, with both values; '' without any.

    Args:
        meta: the checkpoint's, with the text of its config.
        cfg: the config of now.
    """
    try:
        before = parse_text(meta.get('cfg'), {key.split('.')[0] for key in RESTORED})
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return ''
    old, new = (
        {key: value for key, value in flatten(config) if key.startswith(RESTORED)}
        for config in (before, {key: cfg.get(key) for key in before})
    )
    return ', '.join(
        f'{key}={new.get(key)!r} (was {old.get(key)!r})'
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    )


def flatten(config: object, path: str = '') -> Iterator[tuple[str, object]]:
    """Dotted keys and the values of a config."""
    if isinstance(config, Mapping):
        parts = config.items()
    elif isinstance(config, (list, tuple)):
        parts = enumerate(config)
    else:
        yield path, config
        return
    for name, part in parts:
        yield from flatten(part, f'{path}.{name}'.lstrip('.'))


def describe_fit(num_weights: int, others: Sequence[str]) -> str:
    """How many weights ``load_from`` gives, and the first that it does not."""
    text = f'load_from: {num_weights - len(others)} of {num_weights} weights fit'
    if not others:
        return text
    shown = ', '.join(others[:NUM_SHOWN]) + (', ...' if others[NUM_SHOWN:] else '')
    return f'{text}; the others start afresh: {shown}'
