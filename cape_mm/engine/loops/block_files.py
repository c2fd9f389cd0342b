"""Finished parts of a test on disk, so that an interrupted one can go on."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import nn

from ...datasets.frozen_episodes import episodes_sha256
from ...datasets.instance_view import KnownInstances
from ...models.estimators import fill_predictions
from ...structures import EpisodeDataSample
from ...utils.atomic_write import write_bytes_atomically
from .episode_blocks import Block

KEY_LENGTH = 16
DIGEST_LENGTH = hashlib.sha256().digest_size


def hash_weights(model: nn.Module) -> str:
    """SHA-256 of names, shapes, types and values of a model's weights."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f'{name} {tuple(value.shape)} {value.dtype}'.encode())
        flat = value.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def hash_files(paths: Iterable[str | os.PathLike]) -> list[str]:
    """SHA-256 of the contents of files."""
    return [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]


def make_key(parts: Mapping) -> str:
    """A short name for everything that a result depends on.

    Args:
        parts: what JSON knows; anything else is taken by its text.
    """
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


class BlockFiles:
    """A folder with one file per finished block: labels and predictions as arrays.

    A file ends with the SHA-256 of what comes before: NumPy writes ZIP files, whose
    table of contents has no checksum, so that an array can get lost.

    Args:
        folder: is made when the first block is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path_of(self, block: Block) -> Path:
        """The block's file; other episodes have another name."""
        digest = episodes_sha256(block.episodes)[:KEY_LENGTH]
        return self.folder / f'category_{block.category_id}_{digest}.npz'

    def write(
        self,
        block: Block,
        known: KnownInstances,
        samples: Sequence[EpisodeDataSample],
    ) -> None:
        """Keep a finished block; the file is complete or not there."""
        loaded = [s.pred_instances for s in samples if len(s.query_slots)]
        predictions = {
            f'pred_{key}': np.concatenate([np.asarray(part[key]) for part in loaded])
            # a data element's keys are a set: the file's bytes must not depend on it
            for key in sorted(loaded[0].keys() if loaded else ())
        }
        file = io.BytesIO()
        np.savez(file, **known.to_arrays(), **predictions)
        content = file.getvalue()
        digest = hashlib.sha256(content).digest()
        write_bytes_atomically(self.path_of(block), content + digest, durable=False)

    def read(self, block: Block) -> dict[str, np.ndarray] | None:
        """Arrays of a finished block; None if there is none that is whole."""
        try:
            stored = self.path_of(block).read_bytes()
        except OSError:
            return None
        content, digest = stored[:-DIGEST_LENGTH], stored[-DIGEST_LENGTH:]
        if hashlib.sha256(content).digest() != digest:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return dict(file)

    def remove(self) -> None:
        """Forget all blocks."""
        shutil.rmtree(self.folder, ignore_errors=True)


def restore_predictions(
    samples: Sequence[EpisodeDataSample], arrays: Mapping[str, np.ndarray]
) -> None:
    """Set ``pred_instances`` to what was written.

    Args:
        samples: the block's episodes, in the order of writing.
        arrays: what :meth:`BlockFiles.read` returned.
    """
    columns = {
        key.removeprefix('pred_'): torch.from_numpy(value)
        for key, value in arrays.items()
        if key.startswith('pred_')
    }
    row = 0
    for sample in samples:
        end = row + len(sample.query_slots)
        if end == row:
            fill_predictions([sample], None)
            continue
        own = {key: column[row:end] for key, column in columns.items()}
        sample.pred_instances = InstanceData(**own)
        row = end
