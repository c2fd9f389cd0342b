"""Calls of ``tools/*.py`` inside this process, as a user would type them."""

from __future__ import annotations

import runpy
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from mmengine.logging import MMLogger

REPO = Path(__file__).resolve().parents[1]
TOOLS = {
    path.stem: path
    for path in sorted((REPO / 'tools').rglob('*.py'))
    if path.stem != 'command_line'
}
"""By name; the same in whichever folder of ``tools`` it lies."""
TINY = REPO / 'configs/cape_tiny_scratch.py'
FAST = (
    *('--cfg-options', 'model.embed_dims=16', 'model.neck.out_channels=16'),
    *('model.backbone.stem_channels=8', 'model.backbone.base_channels=8'),
    *('model.neck.in_channels=[16,32,64]', 'model.backbone.norm_cfg.num_groups=4'),
    *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
    *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
    *('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False'),
    *('train_dataloader.dataset.pipeline.4.input_size=(64,64)',),
    *('val_dataloader.dataset.pipeline.2.input_size=(64,64)',),
    *('test_dataloader.dataset.pipeline.2.input_size=(64,64)',),
    *('train_dataloader.sampler.num_queries=1', 'val_dataloader.sampler.num_queries=2'),
    *('test_dataloader.sampler.num_queries=2',),
    *('train_dataloader.sampler.episodes_per_epoch=6',),
    *('val_dataloader.sampler.episodes_per_category=2',),
    *('test_dataloader.sampler.episodes_per_category=2',),
    *('train_cfg.max_epochs=2', 'default_hooks.logger.interval=1'),
)
"""Options that make ``configs/cape_tiny_scratch.py`` a matter of seconds."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended, and what it wrote on the two streams."""

    code: int | str | None
    out: str
    err: str

    @property
    def message(self) -> str:
        """The one error message on stderr, without its ``error:``."""
        assert self.err.count('error: ') == 1, self.err
        assert 'Traceback' not in self.err
        return self.err.split('error: ', 1)[1]


class ToolCaller:
    """Runs a tool's ``main`` with a command line of its own."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
    ) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, tool: str, *arguments: str | Path) -> Outcome:
        """Call e.g. ``('train', 'configs/cape_tiny_scratch.py', '--amp')``."""
        path = TOOLS[tool]
        self._monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        self._capfd.readouterr()
        # two runs within a second would share a logger, which holds an old stdout
        MMLogger._instance_dict.clear()
        try:
            code = runpy.run_path(str(path))['main']()
        except SystemExit as error:
            code = error.code
        out, err = self._capfd.readouterr()
        return Outcome(code, out, err)
