"""Layers that start out adding nothing."""

from __future__ import annotations

from torch import nn


def zero_layer(layer: nn.Linear | nn.Conv2d) -> None:
    """Set weight and bias to zero.

    For the last layer of a branch that is added to something: the branch starts out
    adding nothing and learns from there, since the gradient of its last layer does not
    depend on that layer's own weights.
    """
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
