"""Reading a checkpoint file without running code from it.

A checkpoint is a pickle, and a pickle can call any function. Here only tensors, plain
values, NumPy arrays and MMEngine's log buffers are built; every other name is refused.
All of MMEngine's own reading goes through here too (:mod:`~.mmengine_loading`).
"""

from __future__ import annotations

import pickle
import re
import struct
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

import torch

from ..errors import CheckpointError, UnsafeCheckpointError
from . import safe_pickle

ZIP_START = b'PK\x03\x04'
_is_trusted: ContextVar[bool] = ContextVar('is_trusted', default=False)


@contextmanager
def trusting(trust: bool = True) -> Iterator[None]:
    """Read arbitrary pickles inside, which can run code: only for files of your own."""
    token = _is_trusted.set(trust)
    try:
        yield
    finally:
        _is_trusted.reset(token)


def load_file(
    file: str | Path | IO[bytes], map_location: Any = 'cpu', trust: bool | None = None
) -> object:
    """What a checkpoint file holds.

    A configuration that old checkpoints carry as ``meta['config']`` is left out,
    because MMEngine runs it as Python when it resumes.

    Args:
        file: a local file, or its content as a stream.
        map_location: see :func:`torch.load`.
        trust: read arbitrary pickles; None does so inside :func:`trusting` only.

    Raises:
        UnsafeCheckpointError: it is no checkpoint, or holds what could run code.
        CheckpointError: it is damaged.
    """
    name = getattr(file, 'name', 'stream') if hasattr(file, 'read') else str(file)
    if _is_trusted.get() if trust is None else trust:
        return _run_load(file, name, map_location, weights_only=False)
    _refuse_archives(file, name)
    options = dict(weights_only=True)
    if not safe_pickle.HAS_ALLOW_LIST:
        options = dict(weights_only=False, pickle_module=safe_pickle)
    return _without_config(_run_load(file, name, map_location, **options), name)


def check_integrity(path: str | Path) -> None:
    """Compare the content of a file with its own checksums.

    PyTorch does not, and would read a changed weight without a word.

    Raises:
        CheckpointError: the file has changed since it was written.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
            if broken is not None:
                raise _damaged(str(path), f'checksum of {broken} is wrong')
    except (OSError, zipfile.BadZipFile) as error:
        raise _damaged(str(path), _first_line(error)) from error


def _run_load(file: Any, name: str, map_location: Any, **options: Any) -> object:
    try:
        return torch.load(file, map_location=map_location, **options)
    except pickle.UnpicklingError as error:
        raise UnsafeCheckpointError(
            f'checkpoint {name}: not loaded, because it is no checkpoint, or holds '
            f'more than weights and plain values, which could run code '
            f'({why_refused(error)}). Pass --trust-checkpoint (in Python: trust=True) '
            f'if you made the file yourself.'
        ) from error
    except FileNotFoundError:
        raise
    # what torch's and pickle's readers raise on bytes that were never written so
    except (
        *(RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError),
        *(TypeError, AssertionError, MemoryError, OverflowError, struct.error),
    ) as error:
        raise _damaged(name, _first_line(error)) from error


def _refuse_archives(file: Any, name: str) -> None:
    """Refuse the two kinds that torch reads past its own allow-list, or once did."""
    if not hasattr(file, 'read'):
        if Path(file).is_file():
            with open(file, 'rb') as stream:
                _refuse_archives(stream, name)
        return
    start, kind = file.tell(), None
    if tarfile.is_tarfile(file):
        kind = 'a tar archive of an old PyTorch'
    file.seek(start)
    if file.read(len(ZIP_START)) == ZIP_START:
        file.seek(start)
        # a damaged one is left to loading, which says in what way
        with suppress(RuntimeError, OSError):
            reader = torch._C.PyTorchFileReader(file)
            if 'constants.pkl' in reader.get_all_records():
                kind = 'a TorchScript program'
    file.seek(start)
    if kind is not None:
        raise UnsafeCheckpointError(
            f'checkpoint {name}: not loaded, because it is {kind}, which could run '
            f'code. Pass --trust-checkpoint (in Python: trust=True) if you made the '
            f'file yourself, or save its weights again with torch.save.'
        )


def _without_config(content: object, name: str) -> object:
    """Leave out what MMEngine runs when it resumes."""
    if not isinstance(content, Mapping) or 'meta' not in content:
        return content
    meta = content['meta']
    if not isinstance(meta, (Mapping, type(None))):
        raise _damaged(name, f'its "meta" is a {type(meta).__name__}, not a dict')
    if 'config' not in (meta or {}):
        return content
    return {**content, 'meta': {k: v for k, v in meta.items() if k != 'config'}}


def _damaged(name: str, reason: str) -> CheckpointError:
    path = Path(name)
    size = f' ({path.stat().st_size:,} bytes)' if path.is_file() else ''
    return CheckpointError(
        f'checkpoint {name}{size}: damaged or cut short ({reason}). Use an earlier '
        f'epoch_<N>.pth of the same folder.'
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def why_refused(error: pickle.UnpicklingError) -> str:
    """The sentence that names the cause, out of torch's page of advice.

    e.g. ``Unsupported global: GLOBAL posix.system was not an allowed global``.
    """
    text = re.sub(r'\x1b\[[0-9;]*[A-Za-z]', '', str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if re.search('GLOBAL|WeightsUnpickler', line)]
    cause = (causes or lines or [type(error).__name__])[0]
    sentence = cause.removeprefix('WeightsUnpickler error: ').split('. ')[0]
    return sentence.removesuffix(' by default').rstrip('.')
