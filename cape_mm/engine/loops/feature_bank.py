"""Features of many instances, a row each, on the GPU or in CPU memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...errors import ConfigError
from ...models.estimators import InstanceFeatures

MIB = 2**20
GPU_SHARE = 0.5
"""Part of the free GPU memory that a bank may take if nothing else is said."""
DTYPES = ('float32', 'bfloat16', 'float16')


@dataclass(frozen=True)
class BankLimits:
    """How much memory the features of one block may take, and in which precision.

    Attributes:
        dtype: 'float32', 'bfloat16' or 'float16'; None keeps what the model computes.
        gpu_mib: bound on the GPU; None is half of what is free there.
        cpu_mib: bound in CPU memory, used where the GPU's does not do; what a batch of
            episodes needs of it goes through page-locked memory.

    Raises:
        ConfigError: an unknown type, or a negative bound.
    """

    dtype: str | None = None
    gpu_mib: float | None = None
    cpu_mib: float = 8192

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ConfigError(
                f'bank: dtype must be None or one of {DTYPES}, got {self.dtype!r}'
            )
        for name in ('gpu_mib', 'cpu_mib'):
            bound = getattr(self, name)
            if bound is not None and bound < 0:
                raise ConfigError(f'bank: {name} must be at least 0, got {bound}')

    def resolve(self, device: torch.device) -> dict[torch.device, float]:
        """Bounds in bytes by place, the model's device first."""
        places = {torch.device('cpu'): self.cpu_mib * MIB}
        if device.type == 'cpu':
            return places
        bound = self.gpu_mib
        if bound is None and device.type == 'cuda':
            bound = torch.cuda.mem_get_info(device)[0] * GPU_SHARE / MIB
        elif bound is None:
            bound = self.cpu_mib  # an accelerator that says nothing of its memory
        return {device: bound * MIB, **places}

    @property
    def torch_dtype(self) -> torch.dtype | None:
        """``dtype`` as PyTorch's."""
        return None if self.dtype is None else getattr(torch, self.dtype)


def bytes_per_row(features: InstanceFeatures, dtype: torch.dtype | None) -> int:
    """Memory of one instance's features, where ``dtype`` (None: their own) is kept."""
    return sum(
        part[0].numel() * (dtype or part.dtype).itemsize
        for part in (*features.as_support, *features.as_query)
    )


def find_capacity(
    bounds: dict[torch.device, float], row_bytes: int, num_needed: int
) -> int:
    """Most instances whose features fit in one place.

    Args:
        bounds: what :meth:`BankLimits.resolve` returned.
        row_bytes: memory of one instance.
        num_needed: instances of the largest episode.

    Raises:
        ConfigError: not even those of one episode fit, with the numbers.
    """
    capacity = int(max(bounds.values()) // row_bytes)
    if capacity >= num_needed:
        return capacity
    limits = ', '.join(f'{place}: {b / MIB:.1f} MiB' for place, b in bounds.items())
    raise ConfigError(
        f'the feature bank does not fit anywhere: an episode has up to {num_needed} '
        f'instances of {row_bytes / MIB:.2f} MiB each, '
        f'{num_needed * row_bytes / MIB:.1f} MiB in all, and the bounds are {limits}. '
        f"Raise bank.cpu_mib or bank.gpu_mib, set bank.dtype='bfloat16' in val_cfg and "
        f"test_cfg, or use the plain loops (type='ValLoop', type='TestLoop')."
    )


class FeatureBank:
    """Features of the instances of one block.

    Args:
        num_rows: instances, at most.
        bounds: bytes by place; the first place in which all rows fit is taken.
        dtype: to keep them in; None is the type they come in.
    """

    def __init__(
        self,
        num_rows: int,
        bounds: dict[torch.device, float],
        dtype: torch.dtype | None = None,
    ) -> None:
        self.num_rows = num_rows
        self.bounds = bounds
        self.dtype = dtype
        self.num_bytes = 0
        self.place: torch.device | None = None
        self._size = 0
        self._support: list[torch.Tensor] = []
        self._query: list[torch.Tensor] = []
        self._types: list[torch.dtype] = []

    def append(self, features: InstanceFeatures) -> None:
        """Keep the features of some more instances, in the order of their rows."""
        parts = (*features.as_support, *features.as_query)
        if self.place is None:
            self._allocate(features, parts)
        end = self._size + len(parts[0])
        for storage, part in zip((*self._support, *self._query), parts):
            storage[self._size : end].copy_(part)
        self._size = end

    def take(
        self,
        supports: Sequence[int],
        queries: Sequence[int],
        device: torch.device,
    ) -> InstanceFeatures:
        """Features by row number, on a device and in the type the model gave them."""
        picked = [
            tuple(self._pick(part, rows, device) for part in storage)
            for storage, rows in ((self._support, supports), (self._query, queries))
        ]
        types = iter(self._types)
        return InstanceFeatures(
            *(tuple(part.to(next(types)) for part in role) for role in picked)
        )

    def _pick(
        self, storage: torch.Tensor, rows: Sequence[int], device: torch.device
    ) -> torch.Tensor:
        if storage.device.type != 'cpu' or device.type == 'cpu':
            index = torch.as_tensor(rows).to(storage.device, non_blocking=True)
            return storage.index_select(0, index)
        # each row crosses once, however many episodes of the batch share it
        distinct, index = torch.as_tensor(rows).unique(return_inverse=True)
        size = (len(distinct), *storage.shape[1:])
        pin = device.type == 'cuda'
        staged = torch.empty(size, dtype=storage.dtype, pin_memory=pin)
        torch.index_select(storage, 0, distinct, out=staged)
        moved = staged.to(device, non_blocking=True)
        return moved.index_select(0, index.to(device))

    def _allocate(self, features: InstanceFeatures, parts: tuple) -> None:
        self.num_bytes = self.num_rows * bytes_per_row(features, self.dtype)
        fitting = [p for p, bound in self.bounds.items() if self.num_bytes <= bound]
        assert fitting, f'{self.num_bytes} bytes do not fit: {self.bounds}'
        self.place = fitting[0]
        kept = [
            torch.empty(
                (self.num_rows, *part.shape[1:]),
                dtype=self.dtype or part.dtype,
                device=self.place,
            )
            for part in parts
        ]
        self._types = [part.dtype for part in parts]
        num_support = len(features.as_support)
        self._support, self._query = kept[:num_support], kept[num_support:]
