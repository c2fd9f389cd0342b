"""What can't be recorded as a CUDA graph."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigError


def check_training_graph(cfg: Mapping) -> None:
    """Refuse graphs of training steps together with what they can't record.

    Activation checkpointing: what is computed again in the backward pass first restores
    the state of the random numbers, and a recording may not read it.

    Args:
        cfg: the merged config.

    Raises:
        ConfigError: names the keys of both.
    """
    model = cfg.get('model') or {}
    options = model.get('train_cfg')
    if not isinstance(options, Mapping) or not options.get('cuda_graph'):
        return
    places = [f'model.{place}' for place in _find_on(model, 'with_cp')]
    key = 'activation_checkpointing'
    if cfg.get(key):
        places.append(key)
    if places:
        raise ConfigError(
            f'model.train_cfg.cuda_graph=True does not go with activation '
            f'checkpointing ({", ".join(places)}): a step that computes parts of '
            f'itself again can not be recorded. Switch one of them off.'
        )


def _find_on(config: Mapping, key: str) -> list[str]:
    """Dotted places in a config at which a switch is on."""
    places = []
    for name, value in config.items():
        if name == key and value:
            places.append(name)
        elif isinstance(value, Mapping):
            places += [f'{name}.{place}' for place in _find_on(value, key)]
    return places
