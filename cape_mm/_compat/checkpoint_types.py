"""What ``torch.load(weights_only=True)`` is told to accept: data, nothing that acts."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pickle import UnpicklingError


def allow_types() -> None:
    """Allow HistoryBuffer, its four statistics, and plain NumPy arrays and scalars."""
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

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
    import numpy as np

    return 'numpy._core' if int(np.__version__.split('.')[0]) >= 2 else 'numpy.core'


def history_statistic(owner: type, name: str) -> Callable:
    """What ``getattr`` may do in a checkpoint: name one of HistoryBuffer's statistics.

    MMEngine pickles them by reference. The built-in getattr would hand a crafted file
    every attribute of every allowed type.

    Raises:
        UnpicklingError: any other owner or name.
    """
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise UnpicklingError(
            f'This checkpoint asks for attribute {name!r} of {owner!r}. Allowed are '
            'the statistics min, max, current and mean of HistoryBuffer only.'
        )
    return getattr(HistoryBuffer, name)
