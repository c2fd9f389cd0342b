"""Where a model runs, and how many threads OpenCV takes beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import torch

from ..errors import ConfigError

_lock = threading.Lock()
_inside, _before = 0, 0


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Let OpenCV work in the calling thread alone.

    Its own threads do not survive a fork, and they go on spinning for a while after
    their work, on the cores that a network needs next: 8 % of the time of a single
    picture on two cores. The number is one for the whole process; the last of several
    threads to leave restores it.
    """
    global _inside, _before
    with _lock:
        if not _inside:
            _before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                cv2.setNumThreads(_before)


def check_device(name: str | None) -> torch.device:
    """The device of a name; None is the GPU if there is one.

    Raises:
        ConfigError: neither CPU nor CUDA nor Apple's ``mps``, or it is not there.
    """
    has_gpu = torch.cuda.is_available()
    if name is None:
        return torch.device('cuda' if has_gpu else 'cpu')
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    # PyTorch takes a number behind 'cpu' too, where it has no meaning
    if device is None or name != 'cpu' and device.type not in ('cuda', 'mps'):
        raise ConfigError(f'device must be cpu, cuda, cuda:<n> or mps, got {name!r}')
    number = {
        'cpu': 1,
        'cuda': torch.cuda.device_count(),
        'mps': int(torch.backends.mps.is_available()),
    }[device.type]
    if (device.index or 0) >= number:
        raise ConfigError(
            f'device {name} is not available: PyTorch {torch.__version__} sees '
            f'{number} of that kind here. Use cpu.'
        )
    return device
