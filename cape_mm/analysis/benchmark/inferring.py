"""A picture through :class:`CapeInferencer`, beside the backbone alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import DefaultScope
from torch import nn

from ...apis.config_loading import load_config
from ...errors import ConfigError
from ...inference import CapeInferencer
from ...utils.devices import check_device
from .settings import BenchmarkSettings
from .subject import build_model
from .timing import alternate, format_quotient, ratio, summarise

PICTURE = (480, 640)
"""(H, W) in pixels."""

BATCHES = (1, 8)
"""Pictures at a time, where the settings do not say."""

WAYS = {
    'steps': {'model.test_cfg.mode': 'ar', 'model.head.test_decoding': 'steps'},
    'passes': {'model.test_cfg.mode': 'ar', 'model.head.test_decoding': 'passes'},
    'parallel': {'model.test_cfg.mode': 'parallel'},
}
"""Overrides of the config for each way of an autoregressive head to decode."""


def measure_inferring(
    config: str | Path, settings: BenchmarkSettings, cfg_options: Mapping | None
) -> dict:
    """Time arrays in memory to keypoints in their pixels, the support set before.

    Each way of decoding and the backbone as the config describes it, on as many crops,
    in turn. Weights are random; how many passes settle is up to them.

    Returns:
        ``input`` (sizes) and ``inferring``: for every number of pictures at a time,
        ``batch_size``, ``backbone_ms`` of the whole batch, and ``ways``: by name,
        ``ms`` of the batch and ``over_backbone``, the quotients; ``passes`` adds
        ``num_passes``, of the batch.

    Raises:
        CapeError: what settings or config make impossible.
    """
    if settings.amp:
        raise ConfigError('--mode infer measures full precision, without --amp')
    cfg = load_config(config, cfg_options)
    device = check_device(settings.device)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')):
        model = build_model(cfg, settings.seed, device).eval()
    has_ways = hasattr(model.head, 'test_decoding')
    sizes = settings.complete(cfg)
    (num_keypoints,) = sizes['num_keypoints']
    rng = np.random.default_rng(settings.seed)
    number = settings.batch_size or max(BATCHES)
    pictures = list(rng.integers(0, 256, (number, *PICTURE, 3), dtype=np.uint8))
    points = rng.uniform(0.2, 0.8, (num_keypoints, 2)) * PICTURE[::-1]
    inferencers = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'random.pth'
        torch.save(dict(state_dict=model.state_dict()), path)
        for name, override in (WAYS if has_ways else dict(default={})).items():
            options = dict(cfg_options or {}) | override
            inferencer = CapeInferencer(config, path, device, options)
            edges = [(i, i + 1) for i in range(num_keypoints - 1)]
            inferencer.set_support(pictures[0], points, edges)
            inferencers[name] = inferencer
    side = sizes['input_size']
    parts = [
        _measure(model, inferencers, pictures[:batch_size], side, settings)
        for batch_size in ([settings.batch_size] if settings.batch_size else BATCHES)
    ]
    sizes |= dict(picture=list(PICTURE), num_shots=1, batch_size=number)
    return dict(input=sizes, inferring=parts)


def _measure(
    model: nn.Module,
    inferencers: Mapping[str, CapeInferencer],
    pictures: list[np.ndarray],
    side: int,
    settings: BenchmarkSettings,
) -> dict:
    number, device = len(pictures), next(model.parameters()).device
    crops = torch.randn(number, 3, side, side, device=device)

    @torch.no_grad()
    def run_backbone() -> None:
        model.backbone(crops)

    works = dict(backbone=run_backbone) | {
        name: lambda one=one: one(pictures, batch_size=number)
        for name, one in inferencers.items()
    }
    alternate(works, settings.warmup, device)
    times, _ = alternate(works, settings.steps, device)
    backbone = times.pop('backbone')
    ways = {
        name: dict(ms=summarise(values), over_backbone=ratio(values, backbone))
        for name, values in times.items()
    }
    if 'passes' in ways:
        num_passes = _count_passes(inferencers['passes'], works['passes'])
        ways['passes']['num_passes'] = num_passes
    return dict(batch_size=number, backbone_ms=summarise(backbone), ways=ways)


def _count_passes(inferencer: CapeInferencer, work: Callable[[], object]) -> int:
    decoder, calls = inferencer.model.head.decoder, []
    answer = decoder.answer

    def counted(*args, **kwargs):
        calls.append(None)
        return answer(*args, **kwargs)

    decoder.answer = counted
    try:
        work()
    finally:
        del decoder.answer
    return len(calls)


def format_inferring(record: Mapping) -> list[str]:
    """Lines of a record."""
    lines = []
    for part in record['inferring']:
        number = part['batch_size']
        backbone = part['backbone_ms']['median'] / number
        lines.append(f'{number} at a time: backbone {backbone:.1f} ms per picture')
        for name, way in part['ways'].items():
            per_picture = way['ms']['median'] / number
            quotient = format_quotient(way['over_backbone'])
            line = f'  {name:9}{per_picture:8.1f} ms, over backbone {quotient}'
            if 'num_passes' in way:
                line += f'; {way["num_passes"]} passes'
            lines.append(line)
    return lines
