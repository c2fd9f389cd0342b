"""Backends that send logs elsewhere, and the packages that they need."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from ...errors import ConfigError

PACKAGES = {
    'TensorboardVisBackend': 'tensorboard',
    'WandbVisBackend': 'wandb',
    'MLflowVisBackend': 'mlflow',
    'ClearMLVisBackend': 'clearml',
    'NeptuneVisBackend': 'neptune',
    'DVCLiveVisBackend': 'dvclive',
    'AimVisBackend': 'aim',
}
"""By MMEngine's backends; ``OptionalTensorboardVisBackend`` needs none."""


def check_tracking_packages(cfg: Mapping) -> None:
    """Refuse a tracking backend whose package is not installed.

    MMEngine finds out when it writes the config, in the middle of building the runner.

    Args:
        cfg: the config of a run.

    Raises:
        ConfigError: a backend's package is missing.
    """
    backends = (cfg.get('visualizer') or {}).get('vis_backends') or ()
    backends = [backends] if isinstance(backends, Mapping) else backends
    for number, backend in enumerate(backends):
        kind = backend.get('type') if isinstance(backend, Mapping) else None
        package = PACKAGES.get(kind)
        if package is not None and find_spec(package) is None:
            raise ConfigError(
                f'visualizer.vis_backends.{number}: {kind} needs the package '
                f'{package}, which is not installed. Install it (pip install '
                f'{package}), or take the entry out of the config.'
            )
