"""Copies to a device that nobody has to wait for."""

from __future__ import annotations

import torch


def copy_without_waiting(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The tensor on a device.

    From memory that is not page-locked, a copy to a GPU waits until the GPU has done
    all that it was told before.
    """
    if device.type == 'cuda' and tensor.device.type == 'cpu':
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
