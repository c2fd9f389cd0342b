"""A plain vision transformer with maps at three scales, on torchvision's layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmengine.runner import load_state_dict
from mmpose.registry import MODELS
from torch import nn
from torch.utils.checkpoint import checkpoint
from torchvision.models.vision_transformer import VisionTransformer

from ...errors import ConfigError
from .weight_files import checkpoint_of, read_weights

TIMM_NAMES = (
    ('cls_token', 'class_token'),
    ('pos_embed', 'encoder.pos_embedding'),
    ('patch_embed.proj.', 'conv_proj.'),
    ('blocks.', 'encoder.layers.encoder_layer_'),
    ('.norm1.', '.ln_1.'),
    ('.norm2.', '.ln_2.'),
    ('.attn.qkv.', '.self_attention.in_proj_'),
    ('.attn.proj.', '.self_attention.out_proj.'),
    ('.mlp.fc1.', '.mlp.0.'),
    ('.mlp.fc2.', '.mlp.3.'),
)
"""Parts of names in DeiT's and timm's files, and what torchvision calls them."""


@MODELS.register_module()
class TorchvisionViT(BaseModule):
    """Vision transformer whose stride-16 tokens become maps at strides 8, 16 and 32.

    The maps are those of ViTDet's simple feature pyramid (Li et al., Exploring Plain
    Vision Transformer Backbones for Object Detection, ECCV 2022, section 3): a 2 x 2
    deconvolution for stride 8, the tokens themselves, a 2 x 2 max pooling for stride
    32. What differs: attention is global in all blocks, as in the ViT that was
    pretrained, and the convolutions that follow are the neck's.

    Args:
        embed_dims: width D; the maps have D / 2, D and D channels, finest first.
        num_layers: transformer blocks.
        num_heads: heads of every block.
        patch_size: side of a patch in pixels, a multiple of 2; 16 gives the strides
            above.
        pretrain_size: side in pixels of the square images for which the position
            embeddings are stored; other sizes interpolate them.
        with_cp: recompute the blocks in the backward pass instead of storing them, as
            in MMPose's backbones.
        init_cfg: None, or ``dict(type='Pretrained', checkpoint=...)`` with a file in
            torchvision's, DeiT's or timm's format.
    """

    def __init__(
        self,
        embed_dims: int = 384,
        num_layers: int = 12,
        num_heads: int = 6,
        patch_size: int = 16,
        pretrain_size: int = 224,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.patch_size = patch_size
        self.with_cp = with_cp
        self.vit = VisionTransformer(
            image_size=pretrain_size,
            patch_size=patch_size,
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=embed_dims,
            mlp_dim=4 * embed_dims,
        )
        self.vit.heads = nn.Identity()  # its classifier
        self.upsample = nn.ConvTranspose2d(embed_dims, embed_dims // 2, 2, stride=2)
        self.downsample = nn.MaxPool2d(2)

    def init_weights(self) -> None:
        """Keep torchvision's initialisation, or read the file ``init_cfg`` names."""
        path = checkpoint_of(self.init_cfg)
        if path is not None:
            weights = to_torchvision(read_weights(path))
            key = 'encoder.pos_embedding'
            if key in weights:
                weights[key] = resize_positions(weights[key], *self._stored_grid())
            logger = MMLogger.get_current_instance()
            load_state_dict(self.vit, weights, strict=False, logger=logger)
        self._is_init = True

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Maps of the images.

        Args:
            images: normalised RGB, (N, 3, H, W); H and W are multiples of twice the
                patch size.

        Returns:
            Maps (N, D / 2, H / 8, W / 8), (N, D, H / 16, W / 16) and
            (N, D, H / 32, W / 32), for patches of 16.

        Raises:
            ConfigError: H or W is no such multiple.
        """
        step = 2 * self.patch_size
        if images.shape[-2] % step or images.shape[-1] % step:
            raise ConfigError(
                f'TorchvisionViT needs images of height and width that are multiples '
                f'of {step}, the coarsest stride, got {tuple(images.shape[-2:])}: '
                f'change input_size of WarpInstance'
            )
        tokens = self._tokens(self.vit.conv_proj(images))
        return self.upsample(tokens), tokens, self.downsample(tokens)

    def _tokens(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches that have seen each other, (N, D, h, w) like the argument."""
        rows, columns = patches.shape[-2:]
        tokens = patches.flatten(2).transpose(1, 2)  # (N, h*w, D)
        class_token = self.vit.class_token.expand(len(tokens), -1, -1)
        encoder = self.vit.encoder
        positions = resize_positions(encoder.pos_embedding, rows, columns)
        tokens = torch.cat([class_token.to(tokens.dtype), tokens], dim=1) + positions
        for layer in encoder.layers:
            if self.with_cp and torch.is_grad_enabled():
                tokens = checkpoint(layer, tokens, use_reentrant=False)
            else:
                tokens = layer(tokens)
        tokens = encoder.ln(tokens)[:, 1:]  # without the class token
        return tokens.transpose(1, 2).unflatten(2, (rows, columns))

    def _stored_grid(self) -> tuple[int, int]:
        side = self.vit.image_size // self.patch_size
        return side, side


def to_torchvision(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename weights of DeiT or timm; torchvision's own names stay as they are."""
    renamed = {}
    for name, value in weights.items():
        if name.startswith('norm.'):
            name = f'encoder.ln.{name.removeprefix("norm.")}'
        elif not name.startswith(('encoder.', 'conv_proj.')):
            for theirs, ours in TIMM_NAMES:
                name = name.replace(theirs, ours)
        renamed[name] = value
    return {k: v for k, v in renamed.items() if not k.startswith('head')}


def resize_positions(positions: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Interpolate learnt position embeddings to another grid of patches.

    Args:
        positions: of the class token, then of a square grid row by row,
            (1, 1 + G * G, D).
        rows: patches per column of the image.
        columns: patches per row.

    Returns:
        The same for the grid asked for, (1, 1 + rows * columns, D); the argument itself
        if it has that grid.
    """
    side = round((positions.shape[1] - 1) ** 0.5)
    if (side, side) == (rows, columns):
        return positions
    grid = positions[:, 1:].transpose(1, 2).unflatten(2, (side, side))
    grid = F.interpolate(
        grid, size=(rows, columns), mode='bicubic', align_corners=False, antialias=False
    )
    return torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
