"""States of PyTorch's generators as text, to repeat what a model drew by chance."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import torch


def generator_states() -> dict[str, torch.Tensor]:
    """States of the CPU's generator and, where there is one, the current GPU's."""
    states = dict(cpu=torch.get_rng_state())
    if torch.cuda.is_available():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def states_to_text(states: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """The states for a JSON file, base64."""
    return {
        name: base64.b64encode(state.numpy().tobytes()).decode('ascii')
        for name, state in states.items()
    }


def set_generator_states(texts: Mapping[str, str]) -> None:
    """Put the generators back where they were; a GPU's only where there is one.

    Args:
        texts: what :func:`states_to_text` returned.

    Raises:
        ValueError: a text is no base64.
        RuntimeError: it is not the state of a generator.
    """
    setters = dict(cpu=torch.set_rng_state)
    if torch.cuda.is_available():
        setters['cuda'] = torch.cuda.set_rng_state
    for name, set_state in setters.items():
        if name in texts:
            content = bytearray(base64.b64decode(texts[name], validate=True))
            set_state(torch.frombuffer(content, dtype=torch.uint8).clone())
