"""Writing a model's ONNX files."""

from __future__ import annotations

import inspect
import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from ..errors import ConfigError, MissingDataError
from ..models import CAPE, SharedEncoderCAPE
from ..models.heads import AutoregressiveHead, ProposalHead
from ..structures import geometry, skeleton
from ..utils.atomic_write import replacing
from ..version import __version__
from .stages import (
    DecodeStage,
    JudgeStage,
    PoolStage,
    QueryStage,
    RefineStage,
    SupportStage,
)

OPSET = 17
DESCRIPTION = 'cape.json'
RUNNER_FILES = (
    Path(__file__).with_name('onnx_runner.py'),
    Path(geometry.__file__),
    Path(skeleton.__file__),
)
EXAMPLE = dict(shots=2, keypoints=5, queries=2, cached=3)
"""Sizes that the graphs are traced with; none is built into them."""

QUERY_OUTPUTS = ('points', 'scores', 'keypoint_tokens', 'fine_map')
DECODER_INPUTS = ('questions', 'memory_keys', 'memory_values')
JUDGE_INPUTS = ('keypoint_tokens', 'fine_map', 'points', 'scores')

AXES: dict[str, dict[int, str]] = {
    'images': {0: 'images'},
    **dict.fromkeys(('keypoints', 'is_visible'), {0: 'images', 1: 'K'}),
    'hops': {0: 'K', 1: 'K'},
    **dict.fromkeys(('tokens', 'is_known'), {1: 'K'}),
    **dict.fromkeys(('points', 'scores', 'keypoint_tokens'), {0: 'N', 1: 'K'}),
    **dict.fromkeys(('questions', 'confidence', 'visibility'), {0: 'N', 1: 'K'}),
    **dict.fromkeys(('proposed_points', 'proposed_scores'), {0: 'N', 1: 'K'}),
    **dict.fromkeys(('fine_map', 'question', 'identity', 'last_identity'), {0: 'N'}),
    **dict.fromkeys(('last_points', 'point', 'score', 'token'), {0: 'N'}),
    **dict.fromkeys(('memory_keys', 'memory_values'), {1: 'N'}),
    **dict.fromkeys(('new_keys', 'new_values'), {1: 'N'}),
    **dict.fromkeys(('cache_keys', 'cache_values'), {1: 'N', 3: 'T'}),
    'step_hops': {0: 'N', 2: 'T + 2'},
}
"""Dimensions of every input and output that may have any size."""


def export_onnx(
    model: CAPE | SharedEncoderCAPE,
    out_dir: str | Path,
    input_size: tuple[int, int],
    padding: float = geometry.BOX_PADDING,
    origin: Mapping | None = None,
) -> Path:
    """Write a model as ONNX files beside a runner for them.

    The folder holds ``support.onnx``, ``query.onnx``, ``decode.onnx`` (for a head that
    decodes step by step) and ``judge.onnx`` (for one that judges its points apart),
    ``cape.json`` which describes them, and the Python files of the runner, which need
    numpy, OpenCV and onnxruntime alone. It is written beside its place and renamed.

    Args:
        model: a trained model.
        out_dir: folder to write; it must not exist, or be an earlier export.
        input_size: (w, h) of the network input.
        padding: factor on the box's longer side, as ``InstanceCrop`` has it.
        origin: what the model comes from, for the description.

    Returns:
        The folder.

    Raises:
        ConfigError: the head has no export, ONNX can't be written here, or something
            else lies in the folder's place.
        MissingDataError: the place can't be written to.
    """
    _check_head(model)
    out_dir = Path(out_dir)
    _check_place(out_dir)
    model = model.cpu().eval().float()
    description = describe(model, input_size, padding) | dict(origin=dict(origin or {}))
    try:
        with replacing(out_dir) as folder:
            folder.mkdir()
            _write_stages(model, input_size, folder)
            _write_runner(folder)
            text = json.dumps(description, indent=2) + '\n'
            (folder / DESCRIPTION).write_text(text, encoding='utf-8')
            if out_dir.exists():
                shutil.rmtree(out_dir)
    except OSError as error:
        raise MissingDataError(f'{out_dir} can not be written: {error}') from error
    return out_dir


def describe(model: nn.Module, input_size: tuple[int, int], padding: float) -> dict:
    """What the runner must know of a model."""
    head = model.head
    decodes = isinstance(head, AutoregressiveHead)
    described = dict(
        format='cape_mm onnx 1',
        cape_mm=__version__,
        opset=OPSET,
        input_size=list(input_size),
        padding=padding,
        modes=['parallel', 'ar'] if decodes else ['parallel'],
        mode='ar' if decodes and model.test_cfg['mode'] != 'parallel' else 'parallel',
    )
    if isinstance(model, SharedEncoderCAPE):
        described |= dict(shots=head.shots, max_keypoints=head.max_keypoints)
    if decodes:
        attention = head.decoder.layers[0].self_attention
        described |= dict(
            num_layers=len(head.decoder.layers),
            num_heads=attention.num_heads,
            head_dims=attention.query.in_features // attention.num_heads,
        )
    return described


def _check_head(model: nn.Module) -> None:
    head = getattr(model, 'head', None)
    if isinstance(model, SharedEncoderCAPE):
        return
    if not isinstance(model, CAPE) or not isinstance(head, ProposalHead):
        raise ConfigError(
            f'only CAPE models with a ProposalHead or an AutoregressiveHead and '
            f'SharedEncoderCAPE models can be exported, this is a '
            f'{type(model).__name__} with a {type(head).__name__}. '
            f'Train one, e.g. with configs/cape_custom.py, and name its checkpoint'
        )
    if isinstance(head, AutoregressiveHead):
        if not head.use_proposals:
            raise ConfigError('a head with use_proposals=False has no export')
        if head.test_order != 'skeleton':
            raise ConfigError("only test_order='skeleton' can be exported")


def _check_place(out_dir: Path) -> None:
    if out_dir.is_dir() and not any(out_dir.iterdir()):
        return
    if out_dir.exists() and not (out_dir / DESCRIPTION).is_file():
        raise ConfigError(
            f'{out_dir} exists and is no earlier export: name another folder'
        )


def _write_runner(folder: Path) -> None:
    """Copies of the runner's files that import each other from their own folder."""
    for path in RUNNER_FILES:
        text = path.read_text(encoding='utf-8')
        text = text.replace('from ..structures import ', 'import ')
        (folder / path.name).write_text(text, encoding='utf-8')


@torch.no_grad()
def _write_stages(model: nn.Module, input_size: tuple[int, int], folder: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    shots, num = EXAMPLE['shots'], EXAMPLE['queries']
    support = _example_support(rng, shots, EXAMPLE['keypoints'], input_size)
    if isinstance(model, SharedEncoderCAPE):
        _write_shared(model, support, _pictures(rng, num, input_size), folder)
        return
    (tokens,) = _write(
        SupportStage(model), support, ('tokens',), folder / 'support.onnx'
    )
    decodes = isinstance(model.head, AutoregressiveHead)
    names = QUERY_OUTPUTS + (DECODER_INPUTS if decodes else ())
    query = dict(images=_pictures(rng, num, input_size), tokens=tokens)
    query |= dict(is_known=support['is_visible'][:1])
    outputs = _write(QueryStage(model), query, names, folder / 'query.onnx')
    made = dict(zip(names, outputs))
    if decodes:
        _write_decoder(model, made, EXAMPLE['cached'], folder)
    judged = {name: made[name] for name in JUDGE_INPUTS}
    judged |= dict(proposed_points=made['points'], proposed_scores=made['scores'])
    _write(
        JudgeStage(model), judged, ('confidence', 'visibility'), folder / 'judge.onnx'
    )


def _write_shared(
    model: SharedEncoderCAPE,
    support: dict[str, torch.Tensor],
    pictures: torch.Tensor,
    folder: Path,
) -> None:
    hops = support.pop('hops')
    (tokens,) = _write(PoolStage(model), support, ('tokens',), folder / 'support.onnx')
    known = support['is_visible'][:1]
    query = dict(images=pictures, tokens=tokens, is_known=known, hops=hops)
    _write(RefineStage(model), query, ('points', 'scores'), folder / 'query.onnx')


def _example_support(
    rng: torch.Generator, shots: int, num_keypoints: int, input_size: tuple[int, int]
) -> dict[str, torch.Tensor]:
    pictures = _pictures(rng, shots, input_size)
    return dict(
        images=pictures,
        keypoints=torch.rand(shots, num_keypoints, 2, generator=rng),
        is_visible=torch.ones(shots, num_keypoints, dtype=torch.bool),
        hops=torch.randint(0, 4, (num_keypoints, num_keypoints), generator=rng),
    )


def _pictures(
    rng: torch.Generator, num: int, input_size: tuple[int, int]
) -> torch.Tensor:
    size = (num, 3, *input_size[::-1])
    return torch.randint(0, 256, size, generator=rng).to(torch.uint8)


def _write_decoder(
    model: CAPE, made: dict[str, torch.Tensor], num_cached: int, folder: Path
) -> None:
    keys = made['memory_keys']
    layers, num, heads, _, dims = keys.shape
    cache = keys.new_zeros(layers, num, heads, num_cached, dims)
    given = dict(
        question=made['questions'][:, :1],
        identity=made['keypoint_tokens'][:, :1],
        last_identity=made['keypoint_tokens'][:, 1:2],
        last_points=made['points'][:, 1:2],
        has_last=torch.tensor([True]),
        step_hops=torch.zeros(num, 2, num_cached + 2, dtype=torch.int64),
        fine_map=made['fine_map'],
        memory_keys=keys,
        memory_values=made['memory_values'],
        cache_keys=cache,
        cache_values=cache,
    )
    names = ('point', 'score', 'token', 'new_keys', 'new_values')
    _write(DecodeStage(model), given, names, folder / 'decode.onnx')


def _write(
    stage: nn.Module, given: dict[str, torch.Tensor], outputs: tuple[str, ...], path
) -> tuple[torch.Tensor, ...]:
    """Trace a stage into a file; returns what it gives for the example."""
    arguments = tuple(given.values())
    stage.eval()  # as what it holds: the export leaves both as the stage was
    options = dict(
        input_names=list(given),
        output_names=list(outputs),
        dynamic_axes={n: AXES[n] for n in (*given, *outputs) if n in AXES},
        opset_version=OPSET,
    )
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        options['dynamo'] = False  # by tracing: sizes stay free without annotations
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of constants that tracing makes
            torch.onnx.export(stage, arguments, str(path), **options)
    except (ModuleNotFoundError, torch.onnx.errors.OnnxExporterError) as error:
        raise ConfigError(
            f'{path.name} can not be exported: {error}. ONNX files need the package '
            f'onnx: pip install onnx onnxruntime'
        ) from error
    results = stage(*arguments)
    return (results,) if isinstance(results, torch.Tensor) else results
