"""What timm has: models by name, their feature maps and the order of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

from torch import nn

from ...errors import ConfigError


def check_name(name: str) -> None:
    """Check that timm has a model of that name, and weights of that tag.

    Raises:
        ConfigError: it has not; names the nearest ones.
    """
    import timm

    architecture, _, tag = name.partition('.')
    if timm.is_model(architecture):
        known = timm.list_pretrained(f'{architecture}.*')
        if not tag or name in known:
            return
        near = known
    else:
        near = get_close_matches(architecture, timm.list_models(), n=5, cutoff=0.5)
    hint = f'Nearest: {", ".join(near)}' if near else 'timm.list_models() has them all'
    raise ConfigError(f'timm {timm.__version__} has no model {name!r}. {hint}.')


def is_plain(maps: Sequence[dict]) -> bool:
    """Whether all blocks have tokens of one size, given ``feature_info`` of a model."""
    return len(maps) > 1 and len({entry['reduction'] for entry in maps}) == 1


def choose_maps(
    name: str, maps: Sequence[dict], strides: Sequence[int] | None
) -> list[int]:
    """Indices of the last map of every stride, or of tokens at even distances.

    Raises:
        ConfigError: the model has no map of such a stride.
    """
    if strides is None:
        raise ConfigError('TimmBackbone needs out_strides or out_indices, or both')
    if is_plain(maps):
        count = len(strides)
        return [round(len(maps) * (i + 1) / count) - 1 for i in range(count)]
    last = {entry['reduction']: index for index, entry in enumerate(maps)}
    for stride in strides:
        if stride not in last:
            raise ConfigError(
                f'out_strides={tuple(strides)}: {name} has maps at strides '
                f'{tuple(last)} only. out_indices says which of them to resample.'
            )
    return [last[stride] for stride in strides]


def check_indices(
    name: str,
    indices: Sequence[int],
    maps: Sequence[dict],
    strides: Sequence[int] | None,
) -> tuple[int, ...]:
    """Indices of feature maps, counted from 0.

    Raises:
        ConfigError: there is no such map, or not one per stride.
    """
    for index in indices:
        if not -len(maps) <= index < len(maps):
            raise ConfigError(
                f'out_indices={tuple(indices)}: {name} has {len(maps)} feature maps, '
                f'0 to {len(maps) - 1}, of strides {[m["reduction"] for m in maps]}'
            )
    if strides is not None and len(strides) != len(indices):
        raise ConfigError(
            f'out_indices={tuple(indices)} and out_strides={tuple(strides)} must be '
            f'of equal length'
        )
    return tuple(index % len(maps) for index in indices)


def create(name: str, options: dict, **weights: Any) -> nn.Module:
    """A timm model that gives feature maps.

    Raises:
        ConfigError: it has none, or can't be built with these options.
    """
    import timm

    try:
        return timm.create_model(name, features_only=True, **options, **weights)
    except (AssertionError, ArithmeticError, ValueError) as error:
        raise ConfigError(
            f'timm can not build {name} with {options}: {error}'
        ) from error
    except RuntimeError as error:
        if 'features_only' not in str(error):
            raise
        raise ConfigError(f'{name} has no feature maps in timm: {error}') from error


def normed_features() -> type[nn.Module]:
    """Feature extractor whose last map passes the norm that ends the model."""
    from timm.models._features import FeatureGetterNet

    class NormedFeatures(FeatureGetterNet):
        def __init__(self, model: nn.Module, **options: Any) -> None:
            super().__init__(model, norm=True, **options)

    return NormedFeatures


def options_of_plain(net: nn.Module) -> dict:
    """Any input size where the model can, and the norm that its weights expect."""
    if not isinstance(getattr(net, 'norm', None), bool):  # not timm's FeatureGetterNet
        return {}
    chosen = dict(feature_cls=partial(type(net), norm=True))
    if hasattr(net.model, 'dynamic_img_size'):
        chosen['dynamic_img_size'] = True
    return chosen


def split_modules(net: nn.Module, last: str) -> tuple[list[nn.Module], list[nn.Module]]:
    """Modules defined before the end of one; timm defines them in the order of use.

    Args:
        net: the feature extractor.
        last: timm's name of the module that ends it, as in ``feature_info``.

    Returns:
        All of them, and those that hold no later ones; empty if there is no ``last``.
    """

    def plain(name: str) -> str:  # the extractor calls stages.0 stages_0, or model.*
        return f'{name}.'.removeprefix('model.').replace('_', '.')

    modules = list(net.named_modules())
    inside = [i for i, (n, _) in enumerate(modules) if plain(n).startswith(plain(last))]
    before = modules[: max(inside, default=-1) + 1]
    later = [plain(name) for name, _ in modules[len(before) :]]
    whole = [m for n, m in before if not any(k.startswith(plain(n)) for k in later)]
    return [module for _, module in before], [m for m in whole if m is not net]
