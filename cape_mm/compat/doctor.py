"""What a user pastes into a bug report: versions, devices, shims in force."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Callable

DISTRIBUTIONS = {
    **{name: (name,) for name in ('cape_mm', 'torch', 'torchvision', 'mmengine')},
    'mmcv': ('mmcv', 'mmcv-lite', 'mmcv-full'),
    **{name: (name,) for name in ('mmpose', 'timm', 'numpy')},
    'cv2': ('opencv-python-headless', 'opencv-python'),
    **{name: (name,) for name in ('pycocotools', 'xtcocotools', 'setuptools')},
}
"""Distributions that may provide what is shown."""

BROKEN = (
    ImportError,
    OSError,
    RuntimeError,
    ValueError,
    AttributeError,
    AssertionError,
)
"""What a broken environment raises on import: absent or mismatched package, missing
shared library, binary built for another NumPy, version check of the package."""


def describe(apply: Callable[[], None], report: Callable[[], list[str]]) -> int:
    """Print the environment, then try the shims and MMPose.

    Args:
        apply: applies the shims; may raise.
        report: lists the shims in force.

    Returns:
        Exit code: 0 if everything imports, 1 otherwise.
    """
    print(f'python       {platform.python_version()} ({sys.executable})')
    print(f'platform     {platform.platform()}, {os.cpu_count()} CPUs')
    for name, distributions in DISTRIBUTIONS.items():
        print(f'{name:<12} {_version(distributions)}')
    print(f'devices      {_devices()}')
    problem, started = None, time.perf_counter()
    try:
        apply()
        importlib.import_module('mmpose.models')
        print(f'import time  {time.perf_counter() - started:.1f} s')
    except BROKEN as error:
        problem = f'{type(error).__name__}: {error}'
    shims = report()
    print('shims in force:' if shims else 'shims in force: none')
    for line in shims:
        print(f'  {line}')
    print(f'PROBLEM: {problem}' if problem else 'mmpose.models imports: all is well')
    return 1 if problem else 0


def _version(distributions: tuple[str, ...]) -> str:
    found = []
    for name in distributions:
        try:
            found.append(f'{importlib.metadata.version(name)} ({name})')
        except importlib.metadata.PackageNotFoundError:
            continue
    return ', '.join(found) or 'not installed'


def _devices() -> str:
    try:
        import torch
    except BROKEN as error:
        return f'unknown: torch does not import ({type(error).__name__}: {error})'
    count = torch.cuda.device_count()
    names = [f'cuda:{n} {torch.cuda.get_device_name(n)}' for n in range(count)]
    names.append(f'cpu ({torch.get_num_threads()} threads)')
    versions = f'torch {torch.__version__} for CUDA {torch.version.cuda}'
    return f'{", ".join(names)}; {versions}'
