"""From a checkpoint to a folder of ONNX files, compared with the model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from tabulate import tabulate
from torch import nn

from ..errors import ConfigError
from ..inference.cropping import pipeline_of
from ..inference.model_loading import find_checkpoint, load_model
from ..structures import EpisodeInputs
from ..structures.skeleton import hop_distances
from .stages import normalise
from .writing import export_onnx

SIZES = ((1, 3, 1), (1, 17, 4), (3, 9, 2))
"""Shots, keypoints and queries that are compared."""


def export_checkpoint(
    checkpoint: str | Path | None,
    out_dir: str | Path,
    config: str | Path | None = None,
    cfg_options: Mapping | None = None,
    check: bool = True,
) -> str:
    """Export a trained model and compare the files with it.

    Args:
        checkpoint: file of weights; None takes the one that comes with the package.
        out_dir: folder to write, see :func:`export_onnx`.
        config: config file; None takes what the checkpoint holds.
        cfg_options: overrides of the config.
        check: compare the files with the model; needs onnxruntime.

    Returns:
        What was written, and the comparison, as text.

    Raises:
        CapeError: something is missing, does not fit or can't be written.
    """
    model, cfg = load_model(checkpoint, config, 'cpu', cfg_options)
    path = find_checkpoint(checkpoint)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    origin = dict(checkpoint=path.name, checkpoint_sha256=digest)
    folder = export_onnx(model, out_dir, *crop_of(cfg), origin)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    lines = [f'{path.stat().st_size / 2**20:9.2f} MiB  {path}' for path in files]
    if check:
        lines.append(_check(model, folder))
    return '\n'.join(lines)


def crop_of(cfg: Config) -> tuple[tuple[int, int], float]:
    """Network input (w, h) and padding of the box in a config's evaluation.

    Raises:
        ConfigError: its pipeline has no ``InstanceCrop`` or ``WarpInstance``.
    """
    by_type = {step['type']: step for step in pipeline_of(cfg)}
    if not by_type.keys() >= {'InstanceCrop', 'WarpInstance'}:
        raise ConfigError(
            'test_dataloader.dataset.pipeline of the config has no InstanceCrop and '
            'WarpInstance, which tell how a picture is cropped'
        )
    size = by_type['WarpInstance'].get('input_size', (256, 256))
    return tuple(size), by_type['InstanceCrop'].get('padding', 1.25)


def _check(model: nn.Module, folder: Path) -> str:
    try:
        records = check_export(model, folder)
    except ModuleNotFoundError as error:
        return f'not compared with PyTorch: {error.name} is missing (pip install it)'
    return tabulate(records, headers='keys', floatfmt='.1e')


def check_export(
    model: nn.Module,
    folder: str | Path,
    seed: int = 0,
    sizes: Sequence[tuple[int, int, int]] = SIZES,
) -> list[dict]:
    """Predict the same pictures of noise with PyTorch and with the runner.

    Args:
        model: the model, on the CPU.
        folder: its export.
        seed: of pictures, keypoints and skeletons.
        sizes: shots, keypoints and queries of each comparison.

    Returns:
        A record for every size and mode: ``mode``, ``shots``, ``K``, ``queries``,
        ``difference`` of the points, largest, as a fraction of the crop's side, and
        ``confidence``, the largest difference of confidence and visibility.
    """
    from .onnx_runner import OnnxCape  # onnxruntime may be absent

    runner = OnnxCape(folder)
    width, height = runner.description['input_size']
    records = []
    for shots, num, queries in sizes:
        rng = np.random.default_rng(seed)
        shape = (shots + queries, 3, height, width)
        crops = rng.integers(0, 256, shape, dtype=np.uint8)
        units = rng.uniform(0.1, 0.9, (shots, num, 2)).astype(np.float32)
        visible = np.ones((shots, num), dtype=bool)
        visible[0, -1] = False  # with one shot it is unknown
        tree = [(int(rng.integers(node)), node) for node in range(1, num)]
        inputs = _inputs(model, crops, units, visible, tree)
        runner.set_support_crops(crops[:shots], units, visible, tree)
        for mode in runner.description['modes']:
            with torch.no_grad():
                expected = model.head.predict(model.encode(inputs), mode)
            found = runner.predict_crops(crops[shots:], mode)
            points, *others = (
                float(np.abs(one.numpy() - other).max())
                for one, other in zip(expected, found)
                if other is not None
            )
            size = dict(mode=mode, shots=shots, K=num, queries=queries)
            records.append(size | dict(difference=points, confidence=max(others)))
    return records


def _inputs(
    model: nn.Module,
    crops: np.ndarray,
    units: np.ndarray,
    visible: np.ndarray,
    skeleton: Sequence[tuple[int, int]],
) -> EpisodeInputs:
    """What the model gets of an episode, as its data preprocessor makes it."""
    shots, num = visible.shape
    images = normalise(model, torch.from_numpy(crops))
    points = np.where(visible[..., None], units, np.float32(0))
    return EpisodeInputs(
        support_images=images[None, :shots],
        query_images=images[shots:],
        support_keypoints=torch.from_numpy(points)[None],
        support_visible=torch.from_numpy(visible)[None],
        hops=torch.as_tensor(np.array(hop_distances(skeleton, num)))[None],
        query_to_episode=torch.zeros(len(crops) - shots, dtype=torch.int64),
        num_steps=int(visible.any(axis=0).sum()),
    )
