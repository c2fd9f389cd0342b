"""What is changed within a documented command, where no argument of it would do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

from command_server import fork_python

from cape_mm.apis.kfold import running
from cape_mm.datasets.synthetic import spec
from cape_mm.models import CAPE


def shrink_data_sets() -> None:
    """As many categories, so that their ids remain, of few tiny pictures."""
    small = dict(instances_per_category=4, image_size=32, empty_share=0.0)
    for name, size in spec.SIZES.items():
        spec.SIZES[name] = replace(size, **small)


def run_folds_in_forks() -> None:
    """Have ``tools/kfold.py`` fork for its commands instead of starting Python."""

    def run(command: Sequence[str], **_: object) -> SimpleNamespace:
        return SimpleNamespace(returncode=fork_python(command[1:]))

    running.subprocess = SimpleNamespace(run=run)


def spoil_seventh_loss() -> None:
    """Make the loss of the seventh iteration NaN."""
    calls, loss = [], CAPE.loss

    def spoilt(model: CAPE, *arguments: object) -> dict:
        calls.append(None)
        scale = math.nan if len(calls) == 7 else 1.0
        return {name: scale * v for name, v in loss(model, *arguments).items()}

    CAPE.loss = spoilt
