"""Choices of a model that its config makes by name: ``test_cfg`` and ``train_cfg``."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import ConfigError
from ...utils.value_checks import check_options


def complete_options(name: str, given: Mapping | None, defaults: Mapping) -> dict:
    """The options given, and the default of every other.

    Args:
        name: of the group, for the message.
        given: options by name.
        defaults: all that there are.

    Raises:
        ConfigError: there is no such option, or a switch that is neither on nor off.
    """
    options = dict(defaults) | check_options(f'model.{name}', given, defaults)
    for key, value in options.items():
        if isinstance(defaults[key], bool) and not isinstance(value, bool):
            raise ConfigError(
                f'model.{name}.{key} must be True or False, got {value!r}'
            )
    return options
