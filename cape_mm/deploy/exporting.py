"""From a checkpoint to a folder of ONNX files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from ..errors import ConfigError
from ..inference.model_loading import load_model
from .writing import export_onnx


def export_checkpoint(
    checkpoint: str | Path,
    out_dir: str | Path,
    config: str | Path | None = None,
    cfg_options: Mapping | None = None,
    check: bool = True,
) -> str:
    """Export a trained model and compare the files with it.

    Args:
        checkpoint: file of weights.
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
    content = Path(checkpoint).read_bytes()
    origin = dict(
        checkpoint=Path(checkpoint).name,
        checkpoint_sha256=hashlib.sha256(content).hexdigest(),
    )
    size, padding = crop_of(cfg)
    folder = export_onnx(model, out_dir, size, padding, origin)
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
    loader = cfg.get('test_dataloader') or {}
    steps = (loader.get('dataset') or {}).get('pipeline') or []
    by_type = {step['type']: step for step in steps}
    if not by_type.keys() >= {'InstanceCrop', 'WarpInstance'}:
        raise ConfigError(
            'test_dataloader.dataset.pipeline of the config has no InstanceCrop and '
            'WarpInstance, which tell how a picture is cropped'
        )
    size = by_type['WarpInstance'].get('input_size', (256, 256))
    return tuple(size), by_type['InstanceCrop'].get('padding', 1.25)


def _check(model, folder: Path) -> str:
    try:
        from .checking import check_export, format_check
    except ModuleNotFoundError as error:
        return f'not compared with PyTorch: {error.name} is missing (pip install it)'
    return format_check(check_export(model, folder))
