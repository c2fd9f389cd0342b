"""What a user pastes into a bug report: versions, devices, shims in force."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Shown name -> distributions that may provide it.
_DISTRIBUTIONS = {
    'cape_mm': ('cape_mm',),
    'torch': ('torch',),
    'torchvision': ('torchvision',),
    'mmengine': ('mmengine',),
    'mmcv': ('mmcv', 'mmcv-lite', 'mmcv-full'),
    'mmpose': ('mmpose',),
    'numpy': ('numpy',),
    'cv2': ('opencv-python-headless', 'opencv-python'),
    'pycocotools': ('pycocotools',),
    'xtcocotools': ('xtcocotools',),
    'setuptools': ('setuptools',),
}
# What a broken environment raises on import: absent or mismatched package, missing
# shared library, binary built for another NumPy, version check of the package.
_BROKEN = (
    ImportError,
    OSError,
    RuntimeError,
    ValueError,
    AttributeError,
    AssertionError,
)


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
    for name, distributions in _DISTRIBUTIONS.items():
        print(f'{name:<12} {_version(distributions)}')
    print(f'mmcv ops     {_mmcv_ops()}')
    print(f'devices      {_devices()}')
    problem = _first_problem(apply)
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


def _mmcv_ops() -> str:
    spec = importlib.util.find_spec('mmcv')
    if spec is None or spec.origin is None:
        return 'mmcv is not installed'
    compiled = list(Path(spec.origin).parent.glob('_ext*.so'))
    return f'compiled ({compiled[0].name})' if compiled else 'not compiled (mmcv-lite)'


def _devices() -> str:
    try:
        import torch
    except _BROKEN as error:
        return f'unknown: torch does not import ({type(error).__name__}: {error})'
    names = [
        f'cuda:{index} {torch.cuda.get_device_name(index)}'
        for index in range(torch.cuda.device_count())
    ]
    names.append(f'cpu ({torch.get_num_threads()} threads)')
    return (
        ', '.join(names) + f'; torch {torch.__version__} for CUDA {torch.version.cuda}'
    )


def _first_problem(apply: Callable[[], None]) -> str | None:
    """Why the shims or MMPose fail, None if both work."""
    started = time.perf_counter()
    try:
        apply()
        importlib.import_module('mmpose.models')
    except _BROKEN as error:
        return f'{type(error).__name__}: {error}'
    print(f'import time  {time.perf_counter() - started:.1f} s')
    return None
