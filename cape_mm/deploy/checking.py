"""The exported files against the model that they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ..analysis.benchmark.made_input import make_batch
from ..analysis.benchmark.timing import alternate, ratio, summarise
from ..models import CAPE
from ..structures import EpisodeDataSample
from ..structures.geometry import pixels_to_unit
from .onnx_runner import OnnxCape

SIZES = ((1, 3, 1), (1, 17, 4), (3, 9, 2))
"""Shots, keypoints and queries that are compared."""


def check_export(
    model: CAPE,
    folder: str | Path,
    seed: int = 0,
    rounds: int = 5,
    sizes: Sequence[tuple[int, int, int]] = SIZES,
) -> list[dict]:
    """Predict the same made-up pictures with PyTorch and with the runner, in turn.

    Args:
        model: the model, on the CPU.
        folder: its export.
        seed: of pictures, keypoints and skeletons.
        rounds: turns of either for the times.
        sizes: shots, keypoints and queries of each comparison.

    Returns:
        A record for every size and mode: ``num_shots``, ``num_keypoints``,
        ``num_queries``, ``mode``, ``largest_difference`` of the points as a fraction of
        the crop's side, ``largest_confidence_difference``, ``torch_ms`` and ``onnx_ms``
        of support and queries, and ``torch_over_onnx``.
    """
    runner = OnnxCape(folder, num_threads=torch.get_num_threads())
    return [
        dict(num_shots=shots, num_keypoints=k, num_queries=num, mode=mode)
        | _compare(model, runner, mode, rounds, _make_episode(seed, *size, runner))
        for size in sizes
        for shots, k, num in [size]
        for mode in runner.description['modes']
    ]


def format_check(records: Sequence[Mapping]) -> str:
    """The records as a table."""
    lines = [
        f'{"mode":<10}{"shots":>6}{"K":>4}{"queries":>8}{"difference":>12}'
        f'{"confidence":>12}{"torch ms":>10}{"onnx ms":>9}{"ratio":>7}'
    ]
    for row in records:
        lines.append(
            f'{row["mode"]:<10}{row["num_shots"]:>6}{row["num_keypoints"]:>4}'
            f'{row["num_queries"]:>8}{row["largest_difference"]:>12.1e}'
            f'{row["largest_confidence_difference"]:>12.1e}'
            f'{row["torch_ms"]["median"]:>10.1f}{row["onnx_ms"]["median"]:>9.1f}'
            f'{row["torch_over_onnx"]["median"]:>7.2f}'
        )
    return '\n'.join(lines)


def _make_episode(
    seed: int, num_shots: int, num_keypoints: int, num_queries: int, runner: OnnxCape
) -> dict:
    width, _ = runner.description['input_size']
    batch = make_batch(seed, 1, num_shots, num_queries, num_keypoints, width)
    # one keypoint is hidden in the first shot; with one shot it is unknown
    batch['data_samples'][0].support_instances.is_visible[0, -1] = False
    return batch


def _compare(
    model: CAPE, runner: OnnxCape, mode: str, rounds: int, batch: dict
) -> dict:
    works = dict(
        torch=_torch_work(model, mode, batch), onnx=_onnx_work(runner, mode, batch)
    )
    expected, found = works['torch'](), works['onnx']()
    differences = [float(np.abs(a - b).max()) for a, b in zip(expected, found)]
    times, _ = alternate(works, rounds, torch.device('cpu'))
    return dict(
        largest_difference=differences[0],
        largest_confidence_difference=max(differences[1:]),
        torch_ms=summarise(times['torch']),
        onnx_ms=summarise(times['onnx']),
        torch_over_onnx=ratio(times['torch'], times['onnx']),
    )


def _torch_work(model: CAPE, mode: str, batch: dict) -> Callable[[], list[np.ndarray]]:
    @torch.no_grad()
    def work() -> list[np.ndarray]:
        inputs = model.data_preprocessor(batch, False)['inputs']
        found = model.head.predict(model.encode(inputs), mode)
        return [part.numpy() for part in found]

    return work


def _onnx_work(
    runner: OnnxCape, mode: str, batch: dict
) -> Callable[[], tuple[np.ndarray, ...]]:
    sample: EpisodeDataSample = batch['data_samples'][0]
    support = sample.support_instances
    units = pixels_to_unit(support.keypoints, sample.input_size).numpy()
    visible = support.is_visible.numpy()
    crops, queries = (batch['inputs'][kind][0].numpy() for kind in ('support', 'query'))

    def work() -> tuple[np.ndarray, ...]:
        runner.set_support_crops(crops, units, visible, sample.skeleton)
        return runner.predict_crops(queries, mode)

    return work
