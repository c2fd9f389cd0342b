"""A config's model with random weights, and input for it: what speed is measured on."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from torch import nn
from torch.utils.data import DataLoader

from ..apis.config_checks import check_loader, explain_build_errors
from ..apis.config_loading import BFLOAT16_CAPABILITY, load_config, set_amp
from ..datasets.collate import collate_episodes
from ..engine.loops.episode_train_loop import look_ahead
from ..errors import ConfigError
from ..structures import EpisodeDataSample
from ..utils.devices import check_device

ZERO_STD = 0.02
"""Spread of weights that would start at zero."""
SIZE_NAMES = (
    *('batch_size', 'num_shots', 'num_queries', 'num_keypoints', 'input_size'),
)


@dataclass
class RandomModel:
    """A model ready to be measured.

    Attributes:
        model: on its device, in training mode if there is an ``optim_wrapper``.
        device: that device.
        batches: collated batches on the CPU, without end.
        optim_wrapper: None for prediction.
        amp_dtype: of autocast in prediction; None is full precision.
        num_episodes: episodes run so far.
        num_queries: queries run so far.
    """

    model: nn.Module
    device: torch.device
    batches: Iterator[dict]
    optim_wrapper: OptimWrapper | None = None
    amp_dtype: torch.dtype | None = None
    num_episodes: int = 0
    num_queries: int = 0

    def autocast(self) -> AbstractContextManager:
        """Mixed precision of prediction; training has its optim wrapper's.

        Combine it with ``torch.no_grad``: in inference mode autocast does not keep the
        weights that it has cast and casts them again at every use.
        """
        enabled = self.amp_dtype is not None
        return torch.autocast(self.device.type, self.amp_dtype, enabled=enabled)

    def run(self, steps: int) -> None:
        """Train or predict so many batches; on a GPU the next is made ready early."""
        with look_ahead(self.batches, self.model, self.optim_wrapper) as batches:
            for batch in itertools.islice(batches, steps):
                self.step(batch)

    def step(self, batch: dict) -> None:
        """One batch, as MMEngine's loops take it."""
        if self.optim_wrapper is None:
            with torch.no_grad(), self.autocast():
                self.model.test_step(batch)
        else:
            self.model.train_step(batch, self.optim_wrapper)
        samples = batch['data_samples']
        self.num_episodes += len(samples)
        self.num_queries += sum(len(sample.query_slots) for sample in samples)


def prepare(
    config: str | Path,
    cfg_options: Mapping | None = None,
    *,
    training: bool = False,
    device: str | None = None,
    amp: bool = False,
    seed: int = 0,
    loader: bool = False,
    sizes: Mapping[str, int | None] | None = None,
) -> tuple[RandomModel, dict[str, int]]:
    """Build a config's model with random weights, and its input.

    Args:
        config: config file.
        cfg_options: overrides.
        training: with the config's optimiser.
        device: 'cpu', 'cuda', 'cuda:<n>'; None is the GPU if there is one.
        amp: mixed precision.
        seed: of the weights and of the input.
        loader: batches from the config's train_dataloader, not generated ones.
        sizes: ``batch_size``, ``num_shots``, ``num_queries``, ``num_keypoints`` and
            ``input_size``; what is None or left out comes from the config.

    Returns:
        The model, and the sizes of its input as far as known.

    Raises:
        CapeError: what the config or the data makes impossible.
    """
    cfg = load_config(config, cfg_options)
    for key in ('model', 'optim_wrapper') if training else ('model',):
        if cfg.get(key) is None:
            raise ConfigError(f'{config} has no {key}: nothing to measure')
    place = check_device(device)
    if place.type == 'cuda':
        torch.cuda.set_device(place)
        wanted = (cfg.get('env_cfg') or {}).get('cudnn_benchmark', False)
        torch.backends.cudnn.benchmark = wanted
    full = complete_sizes(cfg, sizes or {}, training)
    scope = cfg.get('default_scope', 'mmpose')
    with DefaultScope.overwrite_default_scope(scope), explain_build_errors(cfg):
        model = build_model(cfg, seed, place).train(training)
        if loader:
            data = build_loader(cfg, seed, sizes or {})
            batches, full = endless(data), dict(batch_size=data.batch_size)
        else:
            batches = itertools.repeat(make_batch(seed, **full))
        wrapper = None
        if training:
            set_amp(cfg, amp)
            wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    dtype = prediction_dtype(place) if amp else None
    return RandomModel(model, place, batches, wrapper, dtype), full


def build_model(cfg: Config, seed: int, device: torch.device) -> nn.Module:
    """The model with all weights random: none is read from a file, none is zero."""
    drop_pretrained(cfg.model)
    torch.manual_seed(seed)
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)  # not two lines for every parameter
    try:
        model = MODELS.build(cfg.model)
        model.init_weights()
    finally:
        logger.setLevel(level)
    # a correction that starts at zero would make every decoder look exact
    for parameter in model.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=ZERO_STD)
    return model.to(device)


def drop_pretrained(component: object) -> None:
    """Take every ``init_cfg`` that loads a file out of a config, in place."""
    if isinstance(component, (list, tuple)):
        for part in component:
            drop_pretrained(part)
    elif isinstance(component, Mapping):
        entries = component.get('init_cfg') or ()
        entries = [entries] if isinstance(entries, Mapping) else entries
        if any(entry.get('type') == 'Pretrained' for entry in entries):
            component['init_cfg'] = None
        for part in component.values():
            drop_pretrained(part)


def prediction_dtype(device: torch.device) -> torch.dtype:
    """What autocast computes in, as in training."""
    if device.type == 'cpu':
        return torch.bfloat16
    capability = torch.cuda.get_device_capability(device)
    return torch.bfloat16 if capability >= BFLOAT16_CAPABILITY else torch.float16


def complete_sizes(
    cfg: Config, sizes: Mapping[str, int | None], training: bool
) -> dict[str, int]:
    """Sizes as asked for, else the config's (in training), else 1, K = 17."""
    loader = cfg.get('train_dataloader') or {}
    full = dict.fromkeys(SIZE_NAMES, 1) | dict(num_keypoints=17)
    if training:
        full['batch_size'] = loader.get('batch_size', 1)
        full['num_queries'] = (loader.get('sampler') or {}).get('num_queries', 1)
    pipeline = (loader.get('dataset') or {}).get('pipeline') or ()
    warps = [step['input_size'] for step in pipeline if 'input_size' in step]
    full['input_size'] = max(warps[0]) if warps else 256
    return full | {key: value for key, value in sizes.items() if value is not None}


def build_loader(cfg: Config, seed: int, sizes: Mapping[str, int | None]) -> DataLoader:
    """The config's train_dataloader, with the batch size, shots and queries asked for.

    Raises:
        ConfigError: there is none.
        MissingDataError: its data does not exist.
    """
    if cfg.get('train_dataloader') is None:
        raise ConfigError('loader: the config has no train_dataloader')
    loader = cfg.train_dataloader
    places = dict(batch_size=loader, num_shots=loader.sampler)
    for key, place in (places | dict(num_queries=loader.sampler)).items():
        if sizes.get(key) is not None:
            place[key] = sizes[key]
    check_loader(cfg, 'train_dataloader')
    return Runner.build_dataloader(loader, seed=seed)


def endless(loader: DataLoader) -> Iterator[dict]:
    """Batches of epoch after epoch."""
    for epoch in itertools.count():
        loader.sampler.set_epoch(epoch)
        yield from loader


def make_batch(
    seed: int,
    batch_size: int,
    num_shots: int,
    num_queries: int,
    num_keypoints: int,
    input_size: int,
) -> dict:
    """A collated batch of noise images with every keypoint visible.

    Args:
        seed: of images, keypoints and skeletons.
        batch_size: B.
        num_shots: S.
        num_queries: Q of every episode.
        num_keypoints: K; the skeleton is a random tree over them.
        input_size: side of the square images in pixels.

    Returns:
        What ``collate_episodes`` returns.
    """
    rng = np.random.default_rng(seed)
    size = input_size, input_size
    items = []
    for index in range(batch_size):
        shape = (num_shots + num_queries, 3, *size)
        images = torch.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8))
        tree = [[int(rng.integers(node)), node] for node in range(1, num_keypoints)]
        category = dict(category_id=1, category_name='generated', supercategory='')
        sample = EpisodeDataSample(
            metainfo=dict(
                **category,
                skeleton=tree,
                num_keypoints=num_keypoints,
                episode_index=index,
                input_size=size,
                query_slots=list(range(num_queries)),
                crop_to_image=np.tile(np.eye(2, 3), (num_queries, 1, 1)),
                dropped_pairs=[],
            )
        )
        sample.support_instances = _labels(rng, num_shots, num_keypoints, input_size)
        sample.gt_instances = _labels(rng, num_queries, num_keypoints, input_size)
        inputs = dict(support=images[:num_shots], query=images[num_shots:])
        items.append(dict(inputs=inputs, data_samples=sample))
    return collate_episodes(items)


def _labels(
    rng: np.random.Generator, num: int, num_keypoints: int, input_size: int
) -> InstanceData:
    """Labels of ``num`` instances; source image and crop are the same."""
    points = rng.uniform(0, input_size - 1, (num, num_keypoints, 2)).astype(np.float32)
    keypoints = torch.from_numpy(points)
    is_visible = torch.ones(num, num_keypoints, dtype=torch.bool)
    ids = torch.from_numpy(rng.integers(1, 1_000_000, num))
    return InstanceData(
        keypoints=keypoints,
        keypoints_orig=keypoints.clone(),
        is_visible=is_visible,
        is_visible_orig=is_visible.clone(),
        bboxes=torch.tensor([[0.0, 0.0, input_size, input_size]]).repeat(num, 1),
        ann_ids=ids,
        img_ids=ids.clone(),
    )
