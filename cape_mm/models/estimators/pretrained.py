"""Pretrained weights: had, or a clear message; never silently random."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ...errors import CheckpointError


def pretrained_parts(model: nn.Module) -> dict[str, nn.Module]:
    """Modules whose ``init_cfg`` names a checkpoint, by their name in the model."""
    return {
        name: module
        for name, module in model.named_modules()
        if _checkpoint_of(module) is not None
    }


@contextmanager
def expect_pretrained(model: nn.Module) -> Iterator[None]:
    """Initialise a model inside; afterwards its pretrained parts must be so.

    MMEngine copies what fits and logs the rest, so a file of another architecture
    would leave a part as random as it was.

    Raises:
        CheckpointError: a checkpoint can't be read, or gave a part less than half of
            its weights.
    """
    parts = pretrained_parts(model)
    before = {
        name: {key: weight.detach().clone() for key, weight in _weights(module)}
        for name, module in parts.items()
    }
    try:
        yield
    # no connection is a URLError, which is an OSError
    except (OSError, RuntimeError, CheckpointError) as error:
        if not parts:
            raise
        files = ', '.join(_describe(name, module) for name, module in parts.items())
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f'pretrained weights could not be read ({files}): {reason}. {_advice()}'
        ) from error
    for name, module in parts.items():
        old = before[name]
        changed = sum(bool((new != old[key]).any()) for key, new in _weights(module))
        if changed * 2 < len(old):
            raise CheckpointError(
                f'pretrained weights do not fit ({_describe(name, module)}): only '
                f'{changed} of {len(old)} weights were in the file. {_advice()}'
            )


def _checkpoint_of(module: nn.Module) -> str | None:
    configs = getattr(module, 'init_cfg', None) or []
    for config in configs if isinstance(configs, list) else [configs]:
        if config.get('type') == 'Pretrained':
            return str(config['checkpoint'])
    return None


def _weights(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    # matrices and kernels only: a bias may be zero before and after
    return ((name, p) for name, p in module.named_parameters() if p.dim() > 1)


def _describe(name: str, module: nn.Module) -> str:
    return f'{name or "model"} from {_checkpoint_of(module)}'


def _advice() -> str:
    return (
        'Without a connection, put the file on this machine and set '
        'model.backbone.init_cfg.checkpoint=FILE, or train from scratch: '
        'configs/cape_custom_scratch.py shows how.'
    )
