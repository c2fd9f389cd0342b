"""Resident memory of a training and its workers over many small epochs.

Run by hand, from the repository's root, on any data set that fits the config:

  python tests/reliability/memory_over_epochs.py --data data/synthetic_tiny --epochs 50
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmpose.registry import HOOKS

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / 'tests')]

from tool_calls import FAST, TINY  # noqa: E402

from cape_mm.apis import parse_cfg_options, train  # noqa: E402

WORKERS = (
    'train_dataloader.num_workers=2',
    'train_dataloader.persistent_workers=True',
    'val_dataloader.num_workers=1',
    'val_dataloader.persistent_workers=True',
)
"""Processes that live for the whole training."""


def rss_mib(pid: int | str = 'self') -> float:
    """Resident memory of a process, MiB."""
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) / 1024
    raise ValueError(f'process {pid} has no VmRSS')


@HOOKS.register_module()
class MemoryOverEpochs(Hook):
    """Notes the memory of this process and of its children at every epoch's end."""

    priority = 'LOWEST'
    rows: list[tuple[float, ...]] = []  # noqa: RUF012  (read after the training)

    def after_train_epoch(self, runner) -> None:
        children = sorted(p.pid for p in multiprocessing.active_children())
        self.rows.append((rss_mib(), *map(rss_mib, children)))


def growth(rows: list[tuple[float, ...]], warm_up: int) -> list[float]:
    """Last over first value of every process, the first epochs left out."""
    num = min(len(row) for row in rows[warm_up:])
    return [rows[-1][i] / rows[warm_up][i] for i in range(num)]


def measure(data: Path, work_dir: Path, epochs: int, *options: str) -> list[tuple]:
    """Train; memory at every epoch's end: this process, then its workers."""
    torch.set_num_threads(1)
    MemoryOverEpochs.rows = []
    few = (f'data_root={data}', f'train_cfg.max_epochs={epochs}')
    cfg_options = parse_cfg_options([*FAST[1:], *WORKERS, *few, *options])
    cfg_options['default_hooks.memory_over_epochs'] = dict(type='MemoryOverEpochs')
    train(TINY, work_dir, cfg_options=cfg_options)
    return MemoryOverEpochs.rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True)
    parser.add_argument('--epochs', type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(args.data, Path(folder), args.epochs)
    for number, row in enumerate(rows, 1):
        print(f'epoch {number:3d}: ' + '  '.join(f'{value:7.1f}' for value in row))
    print('growth: ' + '  '.join(f'{g - 1:+.1%}' for g in growth(rows, 5)))


if __name__ == '__main__':
    main()
