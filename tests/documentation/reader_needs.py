"""What documented commands take as given: words to fill in, files of other commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

PLACEHOLDERS = {'CONFIG': 'configs/cape_tiny.py', 'GPUS': '1'}
"""Words that a reader replaces; CHECKPOINT is one that fits the config."""
CHECKPOINTS = {
    'configs/cape_tiny.py': 'work_dirs/cape_tiny/epoch_4.pth',
    'configs/cape_mp100.py': 'work_dirs/mp100/epoch_1.pth',
}
TRAIN, TEST = 'python tools/train.py', 'python tools/test.py'
SHORT = '--cfg-options train_cfg.max_epochs=1'
SYNTHETIC = 'python tools/make_synthetic.py'
MADE_BY = {
    'data/synthetic_tiny': [f'{SYNTHETIC} --out data/synthetic_tiny --size tiny'],
    'data/synthetic': [f'{SYNTHETIC} --out data/synthetic --size standard'],
    'work_dirs/cape_tiny/epoch_4.pth': ['make demo'],
    'work_dirs/mp100/epoch_1.pth': [
        f'{TRAIN} configs/cape_mp100.py --work-dir work_dirs/mp100'
    ],
    'preds.json': [f'{TEST} configs/cape_mp100.py CHECKPOINT --dump preds.json'],
    'work_dirs/a': [
        f'{TRAIN} CONFIG --work-dir work_dirs/a {SHORT}',
        f'{TEST} CONFIG work_dirs/a/epoch_1.pth --work-dir work_dirs/a',
    ],
    'work_dirs/b': [
        f'{TRAIN} CONFIG --work-dir work_dirs/b {SHORT} randomness.seed=1',
        f'{TEST} CONFIG work_dirs/b/epoch_1.pth --work-dir work_dirs/b',
    ],
    # an update per iteration, so that the record has the number of the bad one
    'work_dirs/x/bad_steps': [
        f'{TRAIN} CONFIG --work-dir work_dirs/x '
        '--cfg-options optim_wrapper.accumulative_counts=1'
    ],
}
"""What pages take as given, and the commands that make it."""
DATA = {
    'configs/cape_tiny.py': 'data/synthetic_tiny',
    'configs/debug_single_image.py': 'data/synthetic_tiny',
    'configs/cape_synthetic.py': 'data/synthetic',
}
"""Data that a config reads."""
MADE = ('--work-dir', '--dump', '--out', '--report')
"""What follows is made by the command itself."""


def fill_in(words: Sequence[str]) -> list[str]:
    """The words with what a reader puts in the place of those in capitals."""
    words = [PLACEHOLDERS.get(word, word) for word in words]
    fits = [CHECKPOINTS[word] for word in words if word in CHECKPOINTS]
    checkpoint = fits[0] if fits else CHECKPOINTS[PLACEHOLDERS['CONFIG']]
    return [re.sub(r'\bCHECKPOINT\b', checkpoint, word) for word in words]


def needed(words: Sequence[str]) -> Iterator[str]:
    """Names of files and folders that a command reads."""
    for before, word in zip(('', *words), words):
        if before not in MADE:
            yield DATA.get(word, word.rpartition('=')[2])
