"""Warnings about a config that runs, but hardly does what it seems to."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

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


def warn_about_templates(cfg: Mapping, loaders: Iterable[str]) -> None:
    """Log a warning if a model looks at the picture of a keypoint template.

    A template has none, only a uniform one: what a model makes of that is no zero-shot
    result.

    Args:
        cfg: the merged config.
        loaders: names of the data loaders that the run builds.
    """
    tokens = (cfg.get('model') or {}).get('keypoint_tokens') or {}
    if tokens.get('look_at_image') is False:
        return
    for name in loaders:
        dataset = cfg[name].get('dataset')
        if isinstance(dataset, Mapping) and dataset.get('template_file'):
            print_log(
                f'{name}.dataset.template_file: the model looks at the picture of its '
                f'support, but a template has none; train and test with '
                f'model.keypoint_tokens.look_at_image=False '
                f'(configs/cape_mp100_template.py)',
                'current',
                logging.WARNING,
            )


def gives_weights(component: Mapping) -> bool:
    """Whether a component's ``init_cfg`` loads a file."""
    init_cfg = component.get('init_cfg') or ()
    entries = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg
    return any(entry.get('type') == 'Pretrained' for entry in entries)
