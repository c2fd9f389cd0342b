"""Warnings about a config that runs, but hardly trains."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from mmengine.logging import print_log

BACKBONES = ('backbone', 'support_backbone')


def warn_frozen_random_norm(cfg: Mapping) -> None:
    """Log a warning for each backbone with frozen statistics of a random network.

    That is BatchNorm (the default of a ResNet) with ``norm_eval=True`` and nothing
    that gives weights: no ``Pretrained`` in ``init_cfg``, no ``load_from``, no resume.
    """
    model = cfg.get('model') or {}
    if cfg.get('load_from') or cfg.get('resume') or gives_weights(model):
        return
    for name in BACKBONES:
        backbone = model.get(name)
        if not isinstance(backbone, Mapping) or gives_weights(backbone):
            continue
        norm = (backbone.get('norm_cfg') or {}).get('type', 'BN')
        if backbone.get('norm_eval') and norm in ('BN', 'BN2d', 'SyncBN'):
            print_log(
                f'model.{name}: norm_eval=True without pretrained weights: frozen '
                f'BatchNorm statistics of a random network hardly train; use '
                f'configs/cape_custom_scratch.py (group normalisation) or load_from',
                'current',
                logging.WARNING,
            )


def gives_weights(component: Mapping) -> bool:
    """Whether a component's ``init_cfg`` loads a file."""
    init_cfg = component.get('init_cfg') or ()
    entries = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg
    return any(entry.get('type') == 'Pretrained' for entry in entries)
