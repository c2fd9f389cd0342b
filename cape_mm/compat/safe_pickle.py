"""What a checkpoint may hold: data, nothing that acts.

``torch.load(weights_only=True)`` takes further types from torch 2.6 on (as far as
MMEngine's checkpoints need them): :func:`allow_types`. On an older one this module is
torch's ``pickle_module``: an unpickler that knows tensors, NumPy arrays, MMEngine's log
buffers and nothing else.
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from typing import IO

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

HAS_ALLOW_LIST = tuple(map(int, torch.__version__.split('.')[:2])) >= (2, 6)
"""Whether torch's own reader takes further types."""

STORAGES = frozenset(
    f'{kind}Storage'
    for kind in (
        *('BFloat16', 'Bool', 'Byte', 'Char', 'ComplexDouble', 'ComplexFloat'),
        *('Double', 'Float', 'Half', 'Int', 'Long', 'Short', 'Untyped'),
    )
)
"""Where tensors keep their numbers."""

ALLOWED = {
    '_codecs': {'encode'},
    'builtins': {'bytearray', 'complex', 'set', 'slice'},
    'collections': {'OrderedDict', 'defaultdict'},
    'mmengine.logging.history_buffer': {'HistoryBuffer'},
    'numpy': {'dtype', 'ndarray'},
    'numpy._core.multiarray': {'_reconstruct', 'scalar'},
    'numpy.core.multiarray': {'_reconstruct', 'scalar'},
    'torch': {'Size', 'device', *STORAGES},
    'torch._utils': {'_rebuild_parameter', '_rebuild_tensor', '_rebuild_tensor_v2'},
    'torch.serialization': {'_get_layout'},
    'torch.storage': {'UntypedStorage'},
}
"""Names that a checkpoint may use, by module."""


def allow_types() -> None:
    """Allow HistoryBuffer, its four statistics, and plain NumPy arrays and scalars."""
    multiarray = importlib.import_module(f'{numpy_core()}.multiarray')
    allowed = [HistoryBuffer, np.ndarray, np.dtype]
    allowed += {type(np.dtype(code)) for code in '?bBhHiIlLqQefdU'}
    allowed.append((history_statistic, 'builtins.getattr'))
    for prefix in ('numpy._core', 'numpy.core'):  # written by NumPy 2, by NumPy 1
        for name in ('_reconstruct', 'scalar'):
            path = f'{prefix}.multiarray.{name}'
            allowed.append((getattr(multiarray, name), path))
    torch.serialization.add_safe_globals(allowed)


def numpy_core() -> str:
    """Name of NumPy's inner package in this environment."""
    return 'numpy._core' if int(np.__version__.split('.')[0]) >= 2 else 'numpy.core'


def history_statistic(owner: type, name: str) -> Callable:
    """What ``getattr`` may do in a checkpoint: name one of HistoryBuffer's statistics.

    MMEngine pickles them by reference. The built-in getattr would hand a crafted file
    every attribute of every allowed type.

    Raises:
        pickle.UnpicklingError: any other owner or name.
    """
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(
            f'This checkpoint asks for attribute {name!r} of {owner!r}. Allowed are '
            'the statistics min, max, current and mean of HistoryBuffer only.'
        )
    return getattr(HistoryBuffer, name)


class Unpickler(pickle.Unpickler):
    """Refuses every name that is not allowed."""

    def find_class(self, module: str, name: str) -> object:
        """The object of that name.

        Raises:
            pickle.UnpicklingError: the name is not allowed.
        """
        if module == '__builtin__':  # what protocol 2 calls it
            module = 'builtins'
        if (module, name) == ('builtins', 'getattr'):
            return history_statistic
        if name not in ALLOWED.get(module, ()):
            raise pickle.UnpicklingError(f'{module}.{name} is not allowed')
        if module.startswith('numpy._core'):  # written by NumPy 2, read by NumPy 1
            module = module.replace('numpy._core', numpy_core())
        return super().find_class(module, name)


def load(file: IO[bytes], **options) -> object:
    """Like ``pickle.load``; torch reads the header of old files with it."""
    return Unpickler(file, **options).load()
