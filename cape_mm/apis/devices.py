"""Where a model runs."""

from __future__ import annotations

import torch

from ..errors import ConfigError


def check_device(name: str | None) -> torch.device:
    """The device of a name; None is the GPU if there is one.

    Raises:
        ConfigError: neither CPU nor CUDA, or a GPU that is not there.
    """
    has_gpu = torch.cuda.is_available()
    if name is None:
        return torch.device('cuda' if has_gpu else 'cpu')
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    # PyTorch takes a number behind 'cpu' too, where it has no meaning
    if device is None or name != 'cpu' and device.type != 'cuda':
        raise ConfigError(f'--device must be cpu, cuda or cuda:<n>, got {name!r}')
    if device.type == 'cuda' and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f'--device {name} is not available: PyTorch {torch.__version__} sees '
            f'{torch.cuda.device_count()} GPUs. Use --device cpu.'
        )
    return device
