"""Published checkpoints of CapeFormer and GraphCape as checkpoints of ours.

They are pickles of MMCV 1.x: read without running code, renamed key by key, and written
with the config that they need, so that every tool takes them by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS

from ..errors import CheckpointError, CheckpointWriteError, UnsafeCheckpointError
from ..utils.atomic_write import replacing
from ..utils.value_checks import check_choice
from .checkpoint import NUM_SHOWN, find_misfits, read_checkpoint
from .checkpoint_file import check_integrity
from .stored_config import store_config, without_initialisation

METHODS = ('capeformer', 'graphcape')
SWIN, THIRD_STAGE = 'backbone.net.model', 'backbone.layers.2.blocks'

UNUSED = ('backbone.head.weight', 'backbone.head.bias')
"""The classifier of Swin, which no prediction needs."""

HEAD = {
    'keypoint_head.input_proj': 'head.project_map',
    'keypoint_head.query_proj': 'head.project_tokens',
    'keypoint_head.kpt_branch': 'head.moves',
    '.mlp.': '.',
    'keypoint_head.transformer.proposal_generator': 'head.similarity',
    'support_proj': 'of_keypoints',
    'query_proj': 'of_cells',
    'dynamic_proj': 'gate',
    'keypoint_head.transformer.decoder.norm': 'head.norm',
    'keypoint_head.transformer.decoder.ref_point_head.layers.0': 'head.embed_places.0',
    'keypoint_head.transformer.decoder.ref_point_head.layers.1': 'head.embed_places.2',
}
ATTENTION = {
    'out_proj': 'out',
    'q_proj_weight': 'query.weight',
    'k_proj_weight': 'key.weight',
    'v_proj_weight': 'value.weight',
}
ENCODER = ATTENTION | {
    'keypoint_head.transformer.encoder.layers': 'head.encoder',
    'self_attn': 'attention',
    'linear1': 'feed_forward.0',
    'linear2': 'feed_forward.3',
    'norm1': 'norm_attention',
    'norm2': 'norm_feed_forward',
}
DECODER = ATTENTION | {
    'keypoint_head.transformer.decoder.layers': 'head.decoder',
    'self_attn': 'self_attention',
    'multihead_attn': 'cross_attention',
    'choker': 'squeeze',
    'linear1': 'feed_forward.0',
    'linear2': 'feed_forward.3',
    'ffn1.conv': 'feed_forward.spread',
    'ffn2': 'feed_forward.out',
    'norm1': 'norm_self',
    'norm2': 'norm_cross',
    'norm3': 'norm_feed_forward',
}
"""Parts of published names and what stands for them, replaced in this order."""


def convert_peer(
    checkpoint: str | Path, method: str, out: str | Path, config_dir: str | Path
) -> str:
    """Write a published checkpoint as one of ours, with its config inside.

    Args:
        checkpoint: published file; only its weights are kept.
        method: one of :data:`METHODS`.
        out: file to write.
        config_dir: folder with the methods' configs.

    Returns:
        What was read and written, as text.

    Raises:
        ConfigError: there is no such method.
        CheckpointError: the file can't be read, or is of another method or backbone.
        CheckpointWriteError: ``out`` can't be written.
    """
    check_choice('method', method, METHODS)
    weights = _read(checkpoint)
    name = f'{method}_{_find_backbone(weights, method, checkpoint)}'
    cfg = Config.fromfile(Path(config_dir) / f'{name}.py')
    renamed, replaced = rename_weights(weights)
    with DefaultScope.overwrite_default_scope('mmpose'), torch.device('meta'):
        model = MODELS.build(without_initialisation(cfg.model))
    misfits = find_misfits(model, renamed)
    if misfits:
        raise CheckpointError(
            f'checkpoint {checkpoint} is not what {name}.py describes (names are those '
            f'of our model):\n{misfits}'
            f'Nothing was written.'
        )
    meta = dict(experiment_name=name, converted_from=Path(checkpoint).name)
    store_config(meta, cfg)
    try:
        with replacing(out) as partial:
            torch.save(dict(meta=meta, state_dict=renamed), partial)
    except (OSError, RuntimeError) as error:  # torch's own words on a lost disk
        raise CheckpointWriteError(f'{out} can not be written: {error}') from error
    left_out = [key for key in UNUSED if key in weights]
    lines = [f'{len(weights)} tensors of {checkpoint}: {name}']
    if left_out:
        lines.append(f'left out, as unused: {", ".join(left_out)}')
    if replaced:
        lines.append(
            f'the one backbone has two names; {", ".join(replaced)} differs from what '
            f'came before, and counts'
        )
    return '\n'.join([*lines, f'written: {out}'])


def rename_weights(
    weights: Mapping[str, torch.Tensor],
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Weights under the names that :class:`SharedEncoderCAPE` has for them.

    Names that are no one's stay as they are. Of two for one, the later one counts, as
    it did when the file was loaded.

    Returns:
        The weights in float32, and published modules that replaced others' numbers.
    """
    renamed, replaced = {}, {}
    for key, value in weights.items():
        if key in UNUSED:
            continue
        name, value = _rename(key), value.detach()
        value = value.float() if value.is_floating_point() else value
        if 'in_proj_' in name:
            pieces = torch.atleast_1d(value).chunk(3)
            for part, piece in zip(('query', 'key', 'value'), pieces):
                renamed[name.replace('in_proj_', f'{part}.')] = piece.clone()
            continue
        if name.endswith('spread.weight'):
            value = value.squeeze(-1)  # of a convolution over one keypoint
        if not torch.equal(renamed.get(name, value), value):
            replaced[key.split('.')[0]] = True
        renamed[name] = value
    return renamed, list(replaced)


def _rename(key: str) -> str:
    if key.startswith('keypoint_head.'):
        kinds = {'.encoder.layers.': ENCODER, '.decoder.layers.': DECODER}
        tables = [table for kind, table in kinds.items() if kind in key]
        for old, new in (tables or [HEAD])[0].items():
            key = key.replace(old, new)
        return key
    key = re.sub(r'^encoder_(sample|query)\.', 'backbone.', key)
    key = re.sub(r'^backbone\.(?=(patch_embed|layers|norm)\.)', f'{SWIN}.', key)
    # the model's authors merge patches where a stage ends, timm where the next begins
    return re.sub(
        r'layers\.(\d+)\.downsample',
        lambda found: f'layers.{int(found[1]) + 1}.downsample',
        key,
    )


def _find_backbone(
    weights: Mapping[str, torch.Tensor], method: str, checkpoint: str | Path
) -> str:
    """End of the config's name, by the names of the weights."""
    if not any(key.startswith('keypoint_head.transformer.') for key in weights):
        parts = sorted({key.split('.')[0] for key in weights})
        raise CheckpointError(
            f'checkpoint {checkpoint} is neither of CapeFormer nor of GraphCape: it '
            f'has no keypoint_head.transformer, only {", ".join(parts[:NUM_SHOWN])}'
        )
    found = METHODS[any('.ffn1.conv.' in key for key in weights)]
    if found != method:
        raise CheckpointError(
            f'checkpoint {checkpoint} is one of {found}: name that method'
        )
    third_stage = {
        key.split('.')[4] for key in weights if key.startswith(f'{THIRD_STAGE}.')
    }
    if not third_stage:
        return 'r50'
    return 'swinv2_t' if len(third_stage) <= 6 else 'swinv2_s'


def _read(checkpoint: str | Path) -> Mapping[str, torch.Tensor]:
    """Weights of a file; nothing in it is ever run, whoever asks for it."""
    try:
        weights = read_checkpoint(checkpoint, trust=False)['state_dict']
    except UnsafeCheckpointError as error:
        reason = str(error).partition(' Pass --trust-checkpoint')[0]
        raise UnsafeCheckpointError(
            f"{reason} The authors' own files hold nothing of the kind."
        ) from error
    check_integrity(checkpoint)
    return weights
