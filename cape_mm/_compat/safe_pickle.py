"""Checkpoints without running code from them, on a torch that has no allow-list.

``torch.load(weights_only=True)`` takes further types only from torch 2.6 on (as far as
MMEngine's checkpoints need them). Before, this module is its ``pickle_module``: an
unpickler that knows tensors, NumPy arrays, MMEngine's log buffers and nothing else.
"""

from __future__ import annotations

import pickle
from typing import IO

from .checkpoint_types import history_statistic, numpy_core

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
