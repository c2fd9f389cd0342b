"""Kill a tiny training again and again, resume it, and compare with an untouched one.

The killed processes are real ones and get a real SIGKILL: at a random moment, or while
a checkpoint is being written. After each kill the same command goes on with --resume.
Whenever a training has come to its end, its last checkpoint is compared with that of
an uninterrupted run: weights, optimizer, schedules, losses of all iterations, results
of all validations, early stopping and best metric have to be equal to the bit. Then
the next one begins, until there were as many kills as asked for.

    python tests/reliability/kill_and_resume.py --data data/synthetic_tiny --kills 50
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

import torch  # noqa: E402
from tool_calls import FAST, TINY  # noqa: E402

from cape_mm.apis import parse_cfg_options, train  # noqa: E402
from cape_mm.apis.resuming import list_checkpoints  # noqa: E402
from cape_mm.compat.checkpoint import read_checkpoint  # noqa: E402
from cape_mm.engine.loops import EpisodeTrainLoop  # noqa: E402

OPTIONS = (
    'train_dataloader.sampler.episodes_per_epoch=22',
    *('default_hooks.early_stopping.patience=9', 'default_hooks.logger.interval=20'),
    *('default_hooks.checkpoint.by_epoch=False', 'default_hooks.checkpoint.interval=3'),
    *('val_dataloader.sampler.episodes_per_category=1',),
)
"""11 iterations per epoch in windows of 4, 4 and 3, with a checkpoint after each."""
PER_EPOCH = 11
HISTORIES = ('train/loss', 'train/lr', 'train/grad_norm', 'val/PCK@', 'val/mPCK')
FACTS = ('epoch', 'iter', 'best_score', 'early_stopping', 'keep_ckpt_ids')


def start(data: Path, work_dir: Path, resume: bool, log: Path, epochs: int) -> int:
    """Fork a training; returns the process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        announce_begin(begin_file(work_dir))
        options = parse_cfg_options(
            [*FAST[1:], f'data_root={data}', *OPTIONS, f'train_cfg.max_epochs={epochs}']
        )
        train(TINY, work_dir, 'auto' if resume else None, cfg_options=options)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def begin_file(work_dir: Path) -> Path:
    """Beside a work directory: there as soon as its training loop runs."""
    return work_dir.with_suffix('.begun')


def announce_begin(path: Path) -> None:
    """Have the training loop of this process make a file when it begins."""
    run = EpisodeTrainLoop.run

    def run_and_say(loop: EpisodeTrainLoop) -> object:
        path.touch()
        return run(loop)

    EpisodeTrainLoop.run = run_and_say


def is_running(pid: int) -> bool:
    """Whether a child lives; takes its exit code if not.

    Raises:
        SystemExit: it failed by itself.
    """
    done, status = os.waitpid(pid, os.WNOHANG)
    if done and status:
        sys.exit(f'a training failed by itself (status {status}): see its output')
    return not done


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def partial_files(work_dir: Path) -> list[str]:
    """Checkpoints that are being written."""
    try:
        return [e.name for e in os.scandir(work_dir) if e.name.endswith('.partial')]
    except FileNotFoundError:
        return []


def kill_in_time(pid: int, begun: Path | None, delay: float) -> bool:
    """Kill a training some seconds after its loop began; False where it ended before.

    Without ``begun`` the seconds count from the start of the process.
    """
    while begun is not None and not begun.exists():
        if not is_running(pid):
            return False
        time.sleep(0.002)
    end = time.monotonic() + delay
    while time.monotonic() < end:
        if not is_running(pid):
            return False
        time.sleep(0.002)
    kill(pid)
    return True


def kill_in_write(pid: int, work_dir: Path, before: set[str], number: int) -> bool:
    """Kill a training while it writes its ``number``-th file, those before excluded."""
    seen: set[str] = set()
    while is_running(pid):
        new = set(partial_files(work_dir)) - seen - before
        seen |= new
        if new and len(seen) >= number:
            kill(pid)
            return True
    return False


def newest_step(work_dir: Path) -> str:
    found = list_checkpoints(work_dir)
    return found[0].stem if found else 'nothing'


def run_to_the_end(
    data: Path,
    work_dir: Path,
    rng: np.random.Generator,
    span: float,
    budget: int,
    epochs: int,
) -> Iterator[str]:
    """Kill and resume a training until it ends; yields what each kill interrupted."""
    resume, num_kills = False, 0
    while True:
        begun = begin_file(work_dir)
        begun.unlink(missing_ok=True)
        pid = start(data, work_dir, resume, work_dir.with_suffix('.txt'), epochs)
        resume = True
        if num_kills >= budget:
            while is_running(pid):
                time.sleep(0.01)
            return
        before = set(partial_files(work_dir))
        kind, delay = rng.random(), float(rng.uniform(0, span))
        if kind < 0.4:
            killed = kill_in_write(pid, work_dir, before, int(rng.integers(1, 5)))
        else:
            killed = kill_in_time(pid, begun if kind < 0.8 else None, delay)
        if not killed:
            return
        num_kills += 1
        found = sorted(set(partial_files(work_dir)) - before)
        what = f'while writing {found[0]}' if found else 'elsewhere'
        yield f'{what}; goes on from {newest_step(work_dir)}'


def differences(expected: Path, actual: Path) -> list[str]:
    """What two checkpoints do not have in common; times and places do not count."""
    one, two = read_checkpoint(expected), read_checkpoint(actual)
    found: list[str] = []
    for key in ('state_dict', 'optimizer', 'param_schedulers'):
        _compare(one[key], two[key], key, found)
    scalars = [part['message_hub']['log_scalars'] for part in (one, two)]
    for key in [key for key in scalars[0] if key.startswith(HISTORIES)]:
        histories = [part[key].data if key in part else None for part in scalars]
        _compare(histories[0], histories[1], key, found)
    facts = [part['message_hub']['runtime_info'] for part in (one, two)]
    for key in FACTS:
        _compare(facts[0].get(key), facts[1].get(key), key, found)
    _compare(_best(facts[0]), _best(facts[1]), 'best_ckpt', found)
    return found


def _best(facts: dict) -> str:
    return Path(facts['best_ckpt']).name


def _compare(one: object, two: object, name: str, found: list[str]) -> None:
    if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        for key in one:
            _compare(one[key], two[key], f'{name}.{key}', found)
    elif isinstance(one, (list, tuple)) and isinstance(two, (list, tuple)):
        if len(one) != len(two):
            found.append(f'{name}: {len(one)} and {len(two)} entries')
        for index, pair in enumerate(zip(one, two)):
            _compare(*pair, f'{name}[{index}]', found)
    elif isinstance(one, (torch.Tensor, np.ndarray)):
        if not np.array_equal(np.asarray(one), np.asarray(two), equal_nan=True):
            found.append(name)
    elif one != two:
        found.append(f'{name}: {one} and {two}')


def main() -> int:
    """Kill, resume and compare; 0 where all is equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, required=True, help='synthetic data root')
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--epochs', type=int, default=3, help='of 11 iterations')
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    parser.add_argument('--out', type=Path, help='keep the work directories there')
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        out = (args.out or Path(temporary)).resolve()
        out.mkdir(parents=True, exist_ok=True)
        return compare_runs(args.data.resolve(), out, rng, args.kills, args.epochs)


def compare_runs(
    data: Path, out: Path, rng: np.random.Generator, kills: int, epochs: int
) -> int:
    """All of it; returns the exit code."""
    began = time.monotonic()
    pid = start(data, out / 'whole', False, out / 'whole.txt', epochs)
    while is_running(pid):
        time.sleep(0.01)
    seconds = time.monotonic() - began
    print(f'uninterrupted: {seconds:.1f} s', flush=True)
    counts, num_done, num_runs = Counter(), 0, 0
    last = f'iter_{PER_EPOCH * epochs}.pth'
    while num_done < kills:
        num_runs += 1
        work_dir = out / f'killed_{num_runs}'
        budget = kills - num_done
        for what in run_to_the_end(data, work_dir, rng, 0.6 * seconds, budget, epochs):
            num_done += 1
            counts['in a write' if what.startswith('while') else 'elsewhere'] += 1
            print(f'kill {num_done}: {what}', flush=True)
        found = differences(out / 'whole' / last, work_dir / last)
        left = partial_files(work_dir)
        found += [f'left behind: {left}'] if left else []
        print(f'run {num_runs} ended: {"; ".join(found) or "equal"}', flush=True)
        if found:
            return 1
    print(
        f'{num_done} kills ({dict(counts)}) in {num_runs} trainings of '
        f'{PER_EPOCH * epochs} iterations: '
        'all equal to the uninterrupted one'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
