"""Backends whose package is missing are refused before anything is built."""

from __future__ import annotations

import pytest
from config_models import CONFIG_DIR
from mmpose.registry import VISBACKENDS

from cape_mm.apis import check_config, load_config
from cape_mm.engine.tracking import tracking_packages
from cape_mm.engine.tracking.tracking_packages import PACKAGES, check_tracking_packages
from cape_mm.errors import ConfigError

BACKENDS = [
    dict(type='WandbVisBackend', init_kwargs=dict(project='cape')),
    dict(type='MLflowVisBackend', exp_name='cape'),
]


def config_with(backend: dict, root) -> dict:
    """``cape_tiny`` with another backend, as a user's own config would have it."""
    cfg = load_config(CONFIG_DIR / 'cape_tiny.py', dict(data_root=str(root)))
    cfg.visualizer.vis_backends = [*cfg.visualizer.vis_backends, backend]
    return cfg


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(tracking_packages, 'find_spec', lambda name: None)


@pytest.mark.parametrize('backend', BACKENDS, ids=lambda backend: backend['type'])
@pytest.mark.parametrize('mode', ['train', 'test'])
def test_missing_package(backend, mode, nothing_installed, synthetic_root):
    package = PACKAGES[backend['type']]
    message = rf'vis_backends\.2: {backend["type"]} .* \(pip install {package}\)'
    with pytest.raises(ConfigError, match=message):
        check_config(config_with(backend, synthetic_root), mode)


@pytest.mark.parametrize('backend', BACKENDS, ids=lambda backend: backend['type'])
def test_installed_package(backend, monkeypatch, synthetic_root):
    monkeypatch.setattr(tracking_packages, 'find_spec', lambda name: object())
    cfg = config_with(backend, synthetic_root)
    check_config(cfg, 'train')
    # built, not started: that would log in somewhere
    VISBACKENDS.build({**cfg.visualizer.vis_backends[-1], 'save_dir': 'x'})


def test_the_default_needs_nothing(nothing_installed, synthetic_root):
    options = dict(data_root=str(synthetic_root))
    check_config(load_config(CONFIG_DIR / 'cape_tiny.py', options), 'train')


def test_every_backend_of_the_table_exists():
    assert all(VISBACKENDS.get(kind) is not None for kind in PACKAGES)


@pytest.mark.parametrize(
    'visualizer', [None, {}, dict(vis_backends=None), dict(vis_backends=[])]
)
def test_configs_without_backends(visualizer):
    check_tracking_packages(dict(visualizer=visualizer))
