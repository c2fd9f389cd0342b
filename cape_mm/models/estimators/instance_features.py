"""What is kept of an image, so that it passes the backbone only once."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class InstanceFeatures:
    """Features of N instances, by the role that they can play in an episode.

    A model decides what is in them; whoever keeps them only picks rows. Both roles may
    share a tensor.

    Attributes:
        as_support: tensors of N rows, what an episode needs of a support.
        as_query: tensors of N rows, what it needs of a query.
    """

    as_support: tuple[torch.Tensor, ...]
    as_query: tuple[torch.Tensor, ...]
