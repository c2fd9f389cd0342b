"""The shims of cape_mm.compat: needed ones work, unneeded ones touch nothing."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from cape_mm import compat
from cape_mm.compat import shims, stand_ins
from cape_mm.utils.processes import map_over_processes

REPO = Path(__file__).resolve().parents[2]
# Imports cape_mm.compat without cape_mm/__init__.py, so that no shim is in force yet.
BARE_IMPORT = f"""
import sys, types
package = types.ModuleType('cape_mm')
package.__path__ = [{str(REPO / 'cape_mm')!r}]
sys.modules['cape_mm'] = package
from cape_mm import compat
from cape_mm.compat import shims
"""


def run_python(*args: str, path: Path | None = None) -> subprocess.CompletedProcess:
    """Run Python from the repository with ``path`` first on its module path."""
    folders = [str(folder) for folder in (path, REPO) if folder is not None]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(folders), OMP_NUM_THREADS='1')
    return subprocess.run(
        [sys.executable, *args], env=env, cwd=REPO, capture_output=True, text=True
    )


def write_modules(folder: Path, **sources: str) -> Path:
    """Write packages, ``mmcv___ext`` standing for the file mmcv/_ext.py."""
    for name, source in sources.items():
        package, _, module = name.partition('__')
        (folder / package).mkdir(exist_ok=True)
        (folder / package / '__init__.py').touch()
        file = folder / package / f'{module or "__init__"}.py'
        file.write_text(source, encoding='utf-8')
    return folder


def test_mmpose_imports_and_no_fake_mmdet_stays():
    code = BARE_IMPORT + (
        'compat.apply()\n'
        'import mmpose.models, mmpose.datasets, mmpose.evaluation, importlib.util\n'
        'from mmpose.models.heads.hybrid_heads import rtmo_head\n'
        "if any(line.startswith('mmdet_names') for line in compat.report()):\n"
        "    assert not any(n.split('.')[0] == 'mmdet' for n in sys.modules)\n"
        "    assert importlib.util.find_spec('mmdet') is None\n"
        '    from mmpose.utils.dist_utils import reduce_mean\n'
        '    assert rtmo_head.reduce_mean is reduce_mean\n'
    )
    done = run_python('-c', code)
    assert done.returncode == 0, done.stderr


def test_apply_twice_changes_nothing():
    compat.apply()
    before = compat.report(), list(sys.meta_path)
    compat.apply()
    assert (compat.report(), list(sys.meta_path)) == before


def test_working_packages_are_left_alone(tmp_path):
    write_modules(
        tmp_path,
        torchvision='',
        pkg_resources='',
        mmcv___ext='real = True',
        mmdet='',
        xtcocotools__mask='',
    )
    code = BARE_IMPORT + (
        'finders = list(sys.meta_path)\n'
        'always = shims.SHIMS[5:]\n'
        'shims = [s for s in shims.SHIMS if s not in always]\n'
        'assert len(shims) == 5\n'
        'assert [s() for s in shims] == [None] * 5, [s() for s in shims]\n'
        'assert sys.meta_path == finders\n'
        'import mmcv._ext\n'
        'assert mmcv._ext.real\n'
    )
    done = run_python('-c', code, path=tmp_path)
    assert done.returncode == 0, done.stderr


def test_broken_xtcocotools_is_replaced(tmp_path):
    write_modules(
        tmp_path, xtcocotools__mask="raise ValueError('numpy.dtype size changed')"
    )
    code = BARE_IMPORT + (
        "assert 'numpy.dtype size changed' in shims.xtcocotools()\n"
        'from xtcocotools.coco import COCO\n'
        'from xtcocotools.cocoeval import COCOeval\n'
        'import xtcocotools.mask as mask, pycocotools.mask, numpy\n'
        'assert mask.encode is pycocotools.mask.encode\n'
        "assert COCO.__module__ == 'pycocotools.coco'\n"
    )
    done = run_python('-c', code, path=tmp_path)
    assert done.returncode == 0, done.stderr


def test_foreign_torchvision_error_surfaces(tmp_path):
    write_modules(tmp_path, torchvision="raise RuntimeError('another defect')")
    done = run_python('-c', BARE_IMPORT + 'shims.torchvision_ops()', path=tmp_path)
    assert done.returncode == 1
    assert 'another defect' in done.stderr


def test_torchvision_without_ops_imports(tmp_path):
    source = (
        'import torch\n'
        "@torch.library.register_fake('torchvision::nms')\n"
        'def nms(dets, scores, iou_threshold):\n'
        '    return dets.new_empty(0)\n'
    )
    if not hasattr(torch.library, 'register_fake'):
        pytest.skip('this torch has no register_fake, the cause of the symptom')
    write_modules(tmp_path, torchvision=source)
    code = BARE_IMPORT + (
        "assert 'torchvision::nms' in shims.torchvision_ops()\n"
        'import torchvision, torch\n'
        'assert torch.ops.torchvision.nms and torch.ops.torchvision.qnms\n'
    )
    done = run_python('-c', code, path=tmp_path)
    assert done.returncode == 0, done.stderr


def test_mmengine_runs_without_pkg_resources():
    code = BARE_IMPORT + (
        'shims._is_installed = lambda name: False\n'
        'assert shims.pkg_resources()\n'
        'from mmengine.utils import get_installed_path, is_installed\n'
        'assert is_installed("mmengine") and is_installed("json")\n'
        'assert not is_installed("no_such_package_here")\n'
        'import mmengine\n'
        'assert get_installed_path("mmengine") == mmengine.__path__[0]\n'
    )
    done = run_python('-c', code)
    assert done.returncode == 0, done.stderr


def test_missing_mmpose_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(shims, '_is_installed', lambda name: name != 'mmpose')
    with pytest.raises(ImportError, match='make install') as caught:
        shims.require_packages()
    assert 'pip install --no-deps mmpose==1.3.2' in str(caught.value)
    assert 'mmcv' not in str(caught.value)


def test_desktop_opencv_without_libgl_says_what_to_do(monkeypatch):
    monkeypatch.setattr(
        shims, '_why_import_fails', lambda *args: 'ImportError: libGL.so.1'
    )
    with pytest.raises(ImportError, match='opencv-python-headless'):
        shims.require_packages()


def test_doctor_reports_and_gives_no_double_import_warning():
    done = run_python('-W', 'error::RuntimeWarning:runpy', '-m', 'cape_mm.compat')
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ('python', 'torch ', 'mmcv', 'devices', 'shims in force'):
        assert word in done.stdout
    assert done.stdout.count('shims in force') == 1


def test_doctor_runs_in_a_broken_environment(tmp_path):
    write_modules(tmp_path, cv2="raise ImportError('libGL.so.1: cannot open')")
    done = run_python('-m', 'cape_mm.compat', path=tmp_path)
    assert done.returncode == 1
    assert 'PROBLEM: ImportError: OpenCV is installed but does not load' in done.stdout
    assert 'mmengine' in done.stdout


class Cycle:
    """Reachable from itself alone; writes down which process destroys it."""

    def __init__(self, path: Path) -> None:
        self.path, self.me = path, self

    def __del__(self) -> None:
        with self.path.open('a') as file:
            file.write(f'{os.getpid()} ')


def collect(item: int) -> int:
    """Collect garbage in whatever process this is, and name it."""
    gc.collect()
    return os.getpid()


class Collecting(Dataset):
    """Items that are :func:`collect`."""

    __getitem__ = staticmethod(collect)

    def __len__(self) -> int:
        return 4


@pytest.mark.parametrize(
    'work',
    [
        lambda: DataLoader(
            Collecting(), None, num_workers=2, multiprocessing_context='fork'
        ),
        lambda: map_over_processes(collect, range(4), 2),
    ],
    ids=['loader', 'map'],
)
def test_forked_processes_destroy_nothing_that_they_inherit(work, tmp_path):
    path = tmp_path / 'destroyed_by'
    gc.collect()
    gc.disable()  # here; the workers collect on their own
    try:
        Cycle(path)
        assert os.getpid() not in set(work())
        assert not path.exists()
    finally:
        gc.enable()
    gc.collect()  # what was permanent while forking is not any more
    assert path.read_text() == f'{os.getpid()} '


ORPHANED = """
shims.orphaned_workers()
import os, signal
from torch.utils.data import DataLoader
class Large:
    def __len__(self):
        return 100
    def __getitem__(self, index):
        return bytes(1_000_000)  # more than a pipe holds
batches = iter(DataLoader(Large(), None, num_workers=1))
next(batches)
print(batches._workers[0].pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not Path('/proc').is_dir(), reason='no /proc to look into')
def test_no_worker_outlives_a_main_process_that_is_killed():
    command = [sys.executable, '-c', BARE_IMPORT + ORPHANED]
    run = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True)
    worker = Path('/proc', run.stdout.readline().strip(), 'stat')
    run.wait(timeout=30)
    deadline = time.monotonic() + 12
    while worker.exists() and worker.read_text().rpartition(')')[2].split()[0] != 'Z':
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_modules_answer_to_their_earlier_names():
    from cape_mm.analysis.run_logs import read_run
    from cape_mm.atomic_write import replacing
    from cape_mm.demo.limits import Limits
    from cape_mm.engine.tracking import run_logs
    from cape_mm.utils import atomic_write

    assert replacing is atomic_write.replacing
    assert run_logs.read_run is read_run
    assert Limits(max_sessions=2).max_sessions == 2


def test_an_op_raises_when_called_not_when_named():
    op = stand_ins.missing_op('roi_align_forward')
    with pytest.raises(RuntimeError, match="'roi_align_forward' needs compiled mmcv"):
        op(torch.zeros(1))


def test_xtcocotools_scores_nothing():
    module = ModuleType('xtcocotools.x')
    stand_ins.fill_cocoeval(module)
    with pytest.raises(NotImplementedError, match='needs the real xtcocotools'):
        module.COCOeval(iouType='keypoints')
