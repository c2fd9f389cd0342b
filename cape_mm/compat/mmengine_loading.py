"""MMEngine's reading of checkpoints and YAML, made unable to run code."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
import yaml

from .checkpoint_file import load_file


class _TorchThatLoadsSafely:
    """PyTorch, but for ``load``."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def load(self, f: Any, map_location: Any = None) -> object:
        return load_file(f, map_location)


def load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
) -> object:
    """``torch.hub.load_state_dict_from_url`` without running code from the download."""
    folder = Path(model_dir or Path(torch.hub.get_dir()) / 'checkpoints')
    path = folder / Path(file_name or urlparse(url).path).name
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        found = torch.hub.HASH_REGEX.search(path.name) if check_hash else None
        prefix = found.group(1) if found else None
        torch.hub.download_url_to_file(url, str(path), prefix, progress)
    return load_file(path, map_location)


def install() -> str:
    """Stand in for what MMEngine's readers call; returns why."""
    from mmengine.fileio.handlers import yaml_handler
    from mmengine.runner import checkpoint

    checkpoint.torch = _TorchThatLoadsSafely()
    checkpoint.load_url = load_url
    yaml_handler.Loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    return 'MMEngine runs what checkpoints from the web and YAML files tell it to'
