"""The shims: one function each, which says why it is in force, or None.

Where the real thing works nothing is touched. What a shim needs is imported on demand:
the packages may be absent or broken so far.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable
from types import ModuleType

from . import stand_ins

# Module -> how to get it by hand. mmpose comes without its dependencies, because one of
# them (chumpy) does not build and is never imported.
_REQUIRED = {
    'torch': 'pip install "torch>=2.1" "torchvision>=0.16"',
    'torchvision': 'pip install "torch>=2.1" "torchvision>=0.16"',
    'mmengine': 'pip install mmengine==0.10.7 "setuptools<81" "numpy<2.4"',
    'mmcv': 'pip install mmcv-lite==2.1.0',
    'cv2': 'pip install opencv-python-headless',
    'pycocotools': 'pip install "pycocotools>=2.0.8" json_tricks munkres scipy six',
    'mmpose': 'pip install --no-deps mmpose==1.3.2',
}
_EARLIER = {
    'cape_mm.atomic_write': 'cape_mm.utils.atomic_write',
    'cape_mm.demo.limits': 'cape_mm.demo.pictures',
    'cape_mm.engine.tracking': 'cape_mm.analysis.run_logs',
    'cape_mm.engine.tracking.run_logs': 'cape_mm.analysis.run_logs',
}
_placeholders = stand_ins.PlaceholderFinder()
_keep_alive: list[object] = []  # a torch Library un-registers its ops when collected


def require_packages() -> None:
    """Check that everything cape_mm builds on is installed, without importing it.

    Raises:
        ImportError: names all absent packages and the commands that install them.
    """
    missing = [name for name in _REQUIRED if not _is_installed(name)]
    if missing:
        commands = dict.fromkeys(_REQUIRED[name] for name in missing)
        lines = '\n'.join(f'    {command}' for command in commands)
        raise ImportError(
            f'cape_mm needs {", ".join(missing)}, but {sys.executable} lacks them. '
            'Either run `make install` in the repository and use .venv/bin/python, or '
            f'install here:\n{lines}'
        )
    reason = _why_import_fails('cv2', ImportError)
    if reason is not None:
        raise ImportError(
            f'OpenCV is installed but does not load ({reason}). The desktop build '
            'needs libGL and X11; replace it:\n'
            '    pip uninstall -y opencv-python opencv-python-headless\n'
            '    pip install opencv-python-headless'
        )


def torchvision_ops() -> str | None:
    """Declare the two torchvision ops whose meta kernels are registered unguarded.

    Symptom: ``RuntimeError: operator torchvision::nms does not exist`` on import.
    Versions: a CUDA build of torchvision beside a CPU-only torch (or the reverse), any
        version with ``torch.library.register_fake``.
    Drop when: torchvision guards these two as it guards its other ops.
    """
    try:
        importlib.import_module('torchvision')
    except RuntimeError as error:
        if 'torchvision::' not in str(error):
            raise
        reason = str(error)
    else:
        return None
    import torch

    library = torch.library.Library('torchvision', 'FRAGMENT')
    arguments = 'Tensor dets, Tensor scores, float iou_threshold'
    for op in ('nms', 'qnms'):
        library.define(f'{op}({arguments}) -> Tensor')
    _keep_alive.append(library)
    _forget_modules('torchvision')
    importlib.import_module('torchvision')
    return f'{reason}; its compiled ops stay unavailable'


def pkg_resources() -> str | None:
    """Serve the few names MMEngine takes from pkg_resources by importlib.metadata.

    Symptom: ``ModuleNotFoundError: No module named 'pkg_resources'``.
    Versions: setuptools >= 82 (or none) with MMEngine <= 0.10.7.
    Drop when: the MMEngine in use imports importlib.metadata instead.
    """
    if _is_installed('pkg_resources'):
        warnings.filterwarnings('ignore', 'pkg_resources is deprecated')
        return None
    _placeholders.serve('pkg_resources', stand_ins.fill_pkg_resources)
    return 'setuptools without pkg_resources'


def mmcv_ext() -> str | None:
    """Put a placeholder where compiled mmcv keeps its ops; they raise when called.

    Symptom: ``No module named 'mmcv._ext'`` from ``import mmpose.models``.
    Versions: mmcv-lite, or an mmcv compiled for another torch, with MMPose 1.x.
    Drop when: MMPose guards its two imports of ``mmcv.ops``.
    """
    reason = _why_import_fails('mmcv._ext', ImportError)
    if reason is not None:
        _placeholders.serve('mmcv._ext', stand_ins.fill_mmcv_ext)
    return reason


def xtcocotools() -> str | None:
    """Serve xtcocotools by pycocotools, but for average precision, which raises.

    Symptom: ``No module named 'xtcocotools'``, or ``ValueError: numpy.dtype size
        changed``.
    Versions: xtcocotools <= 1.14.3 (wheels built for NumPy 1) with NumPy 2.
    Drop when: xtcocotools ships wheels for NumPy 2 and MMPose installs with them.
    """
    reason = _why_import_fails('xtcocotools.mask', ImportError, ValueError)
    if reason is not None:
        _forget_modules('xtcocotools')
        _placeholders.serve('xtcocotools', lambda module: None)
        _serve_as('xtcocotools.mask', 'pycocotools.mask')
        _serve_as('xtcocotools.coco', 'pycocotools.coco')
        _placeholders.serve('xtcocotools.cocoeval', stand_ins.fill_cocoeval)
    return reason


def mmdet_names() -> str | None:
    """Lend MMPose's own two names as ``mmdet.utils`` while its models are imported.

    No fake mmdet stays behind: ``import mmdet`` goes on failing for everybody else.

    Symptom: ``No module named 'mmdet'`` from ``import mmpose.models``.
    Versions: MMPose 1.3.x without mmdet, or with one that rejects the mmcv version.
    Drop when: rtmo_head imports ConfigType and reduce_mean from mmpose.utils.
    """
    reason = _why_import_fails('mmdet', ImportError, AssertionError)
    if reason is None:
        return None
    lent = {name: ModuleType(name) for name in ('mmdet', 'mmdet.utils')}
    for module, name in (('dist_utils', 'reduce_mean'), ('typing', 'ConfigType')):
        own = importlib.import_module(f'mmpose.utils.{module}')
        setattr(lent['mmdet.utils'], name, getattr(own, name))
    before = {name: sys.modules[name] for name in lent if name in sys.modules}
    sys.modules.update(lent)
    try:
        importlib.import_module('mmpose.models')
    finally:
        for name in lent:
            del sys.modules[name]
        sys.modules.update(before)
    return reason


def checkpoint_types() -> str | None:
    """Let ``torch.load(weights_only=True)`` read MMEngine's own checkpoints.

    Allowed are HistoryBuffer, its four statistics, and plain NumPy arrays and scalars:
    data only. A pickle that names anything else is still refused.

    Symptom: ``Weights only load failed`` on resume, ``load_from`` and testing.
    Versions: torch >= 2.6, where weights_only became the default, with MMEngine
        <= 0.10.7. On older torch :mod:`~.checkpoint_file` reads with an unpickler of
        its own.
    Drop when: MMEngine stores plain tensors and numbers.
    """
    import torch

    major, minor = torch.__version__.split('.')[:2]
    if (int(major), int(minor)) < (2, 6):
        return None
    importlib.import_module('cape_mm.compat.safe_pickle').allow_types()
    return f'torch {torch.__version__} loads weights only by default'


def loading() -> str | None:
    """Let MMEngine read checkpoints and YAML files without running code from them.

    Symptom: a downloaded file runs commands: MMEngine unpickles everything on
        torch < 2.6, and what ``torchvision://`` and ``https://`` fetch on any torch;
        YAML is read with the loader that builds any Python object.
    Versions: MMEngine <= 0.10.7, and its main branch.
    Drop when: MMEngine passes ``weights_only=True`` and uses yaml's SafeLoader.
    """
    return importlib.import_module('cape_mm.compat.mmengine_loading').install()


def inherited_objects() -> str | None:
    """Keep the garbage collector of a forked process off all that it inherited.

    While a process forks its objects are permanent, and in the child they stay so: data
    loading workers, whoever starts them and whenever, collect only what they made.

    Symptom: ``c10::AcceleratorError: CUDA error: initialization error`` from data
        loading workers, as they destroy CUDA tensors of reference cycles before them.
    Versions: every PyTorch, on a GPU.
    Drop when: a CUDA tensor's destructor knows that its process was forked.
    """
    os.register_at_fork(
        before=gc.freeze, after_in_parent=gc.unfreeze, after_in_child=gc.freeze
    )
    return 'workers must not destroy CUDA tensors that they inherit'


def orphaned_workers() -> str | None:
    """End a data loading worker at once where its main process is gone.

    Symptom: after a SIGKILL of the main process (memory ran out) a worker stays for
        ever, waiting for a reader of the batches that it has ready.
    Versions: every PyTorch.
    Drop when: a worker whose watchdog barks does not wait for its queue.
    """
    from torch.utils.data._utils.worker import ManagerWatchdog

    is_alive = ManagerWatchdog.is_alive
    is_process = multiprocessing.parent_process  # None in a thread of the main one

    def is_alive_or_exit(self) -> bool:
        return is_alive(self) or bool(is_process() and os._exit(1))

    ManagerWatchdog.is_alive = is_alive_or_exit
    return 'a worker would outlive a killed main process'


def earlier_names() -> str | None:
    """Serve modules under the names that they had in the first release.

    Symptom: ``No module named 'cape_mm.atomic_write'`` from scripts of that time.
    Versions: cape_mm after 0.1.
    Drop when: nobody has such scripts any more.
    """
    for name, place in _EARLIER.items():
        _serve_as(name, place)
    return None


SHIMS: tuple[Callable[[], str | None], ...] = (
    torchvision_ops,
    pkg_resources,
    mmcv_ext,
    xtcocotools,
    mmdet_names,
    checkpoint_types,
    loading,
    inherited_objects,
    orphaned_workers,
    earlier_names,
)


def _is_installed(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _why_import_fails(name: str, *errors: type[Exception]) -> str | None:
    """First line of the error that importing ``name`` gives, None if it works."""
    try:
        importlib.import_module(name)
    except errors as error:
        return f'{type(error).__name__}: {error}'.splitlines()[0]
    return None


def _forget_modules(package: str) -> None:
    """Remove what a failed import left of ``package`` in sys.modules."""
    for name in list(sys.modules):
        if name.split('.')[0] == package:
            del sys.modules[name]


def _serve_as(name: str, place: str) -> None:
    """Let ``import name`` give a module with the public names of another."""

    def fill(module: ModuleType) -> None:
        found = vars(importlib.import_module(place))
        own = {key: value for key, value in found.items() if not key.startswith('__')}
        vars(module).update(own)

    _placeholders.serve(name, fill)
