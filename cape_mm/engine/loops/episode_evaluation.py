"""The evaluation of fixed episodes in two stages, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import torch
from mmengine.model import BaseModel
from torch.utils.data import DataLoader

from ...datasets import collate_episodes
from ...datasets.instance_view import InstanceView, KnownInstances
from ...errors import ConfigError
from ...structures import EpisodeDataSample
from .block_files import BlockFiles, restore_predictions
from .episode_blocks import Block
from .feature_bank import MIB, FeatureBank, bytes_per_row
from .instance_stage import EncodedBlock, encode_block, preprocess_instances
from .pair_stage import batch_episodes, predict_batch

PAIRS_PER_BATCH = dict(cpu=64, cuda=512)
"""Queries decoded together if nothing else is said: a GPU wants many."""
PRECISIONS = ('float32', 'bfloat16', 'float16')


@dataclass(frozen=True)
class StageSizes:
    """How much is done at once, and in which precision.

    Attributes:
        image_batch: instances per batch of the backbone.
        pair_batch: queries per batch of the rest; None is 64 on a CPU, 512 on a GPU.
        precision: 'float32', or autocast to 'bfloat16' or 'float16'.

    Raises:
        ConfigError: a batch without an item, or an unknown precision.
    """

    image_batch: int = 32
    pair_batch: int | None = None
    precision: str = 'float32'

    def __post_init__(self) -> None:
        for name in ('image_batch', 'pair_batch'):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ConfigError(f'{name} must be at least 1, got {size}')
        if self.precision not in PRECISIONS:
            raise ConfigError(
                f'precision must be one of {PRECISIONS}, got {self.precision!r}'
            )

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """Mixed precision, if asked for."""
        dtype = getattr(torch, self.precision)
        if dtype is torch.float32:
            return torch.autocast(device.type, enabled=False)
        return torch.autocast(device.type, dtype)

    def pairs_on(self, device: torch.device) -> int:
        """Queries per batch on a device."""
        return self.pair_batch or PAIRS_PER_BATCH.get(device.type, 512)


@dataclass(frozen=True)
class BatchOutput:
    """A batch of predicted episodes.

    Attributes:
        block: whose episodes they are.
        samples: with ``pred_instances``.
        image_of: uint8 BGR image (3, H, W) of an annotation id.
        is_stored: read back from a finished block.
    """

    block: Block
    samples: list[EpisodeDataSample]
    image_of: Callable[[int], torch.Tensor]
    is_stored: bool


class EpisodeEvaluation:
    """Predicts the episodes of blocks; every instance passes the backbone once a block.

    The images of the next block are read while this one is computed. One block's
    features are in memory at a time.

    Args:
        model: the bare model, in evaluation mode.
        loader: the evaluation's loader: its data set and its way of using workers.
        sizes: batches and precision.
        bounds: memory of the bank by place, see :meth:`BankLimits.resolve`.
        dtype: of the features that are kept; None keeps what the model computes.
    """

    def __init__(
        self,
        model: BaseModel,
        loader: DataLoader,
        sizes: StageSizes,
        bounds: dict[torch.device, float],
        dtype: torch.dtype | None = None,
    ) -> None:
        self.model = model
        self.loader = loader
        self.sizes = sizes
        self.bounds = bounds
        self.dtype = dtype
        self.view = InstanceView(loader.dataset)
        self.device = next(model.parameters()).device
        self.num_encoded = 0
        self.bank_bytes: dict[str, int] = {}

    @torch.no_grad()
    def measure_row(self, ann_id: int) -> int:
        """Bytes that the bank needs for an instance."""
        batch = collate_episodes([self.view[ann_id]])
        with self.sizes.autocast(self.device):
            inputs = preprocess_instances(self.model, batch)['inputs']
            return bytes_per_row(self.model.encode_instances(inputs), self.dtype)

    @torch.no_grad()
    def run(
        self, blocks: list[Block], files: BlockFiles | None = None
    ) -> Iterator[BatchOutput]:
        """Predict blocks, in their order.

        Args:
            blocks: what to evaluate.
            files: finished blocks are taken from there and written to it.
        """
        stored = set() if files is None else self._find_stored(files, blocks)
        to_do = [block for i, block in enumerate(blocks) if i not in stored]
        batches = iter(self._load(to_do)) if to_do else iter(())
        for index, block in enumerate(blocks):
            arrays = files.read(block) if index in stored else None
            if arrays is not None:
                yield self._restore(block, arrays)
                continue
            assert index not in stored, f'{files.path_of(block)} became unreadable'
            yield from self._compute(block, batches, files)

    def _find_stored(self, files: BlockFiles, blocks: list[Block]) -> set[int]:
        """Numbers of the blocks whose file would not be written otherwise today."""
        found = set()
        for number, block in enumerate(blocks):
            arrays = files.read(block)
            if arrays is not None and self._still_missing(arrays):
                found.add(number)
        return found

    def _still_missing(self, arrays: dict) -> bool:
        """Whether no instance that failed to load then can be loaded now."""
        missing = KnownInstances.from_arrays(arrays).reasons
        return all(self.view[i]['data_samples'].dropped_pairs for i in missing)

    def _compute(
        self, block: Block, batches: Iterator[dict], files: BlockFiles | None
    ) -> Iterator[BatchOutput]:
        num_batches = -(-len(block.ann_ids) // self.sizes.image_batch)
        with self.sizes.autocast(self.device):
            bank = FeatureBank(len(block.ann_ids), self.bounds, self.dtype)
            encoded = encode_block(self.model, islice(batches, num_batches), bank)
        self._count(encoded)
        samples = encoded.known.serve(self.view.dataset, block.episodes)
        items = list(zip(block.episodes, samples))
        for batch in batch_episodes(items, self.sizes.pairs_on(self.device)):
            with self.sizes.autocast(self.device):
                predicted = predict_batch(self.model, encoded, batch, self.device)
            yield BatchOutput(block, predicted, encoded.images.__getitem__, False)
        if files is not None:
            files.write(block, encoded.known, samples)

    def _restore(self, block: Block, arrays: dict) -> BatchOutput:
        known = KnownInstances.from_arrays(arrays)
        samples = known.serve(self.view.dataset, block.episodes)
        restore_predictions(samples, arrays)
        read = lru_cache(len(block.ann_ids))(self._read_image)
        return BatchOutput(block, samples, read, True)

    def _read_image(self, ann_id: int) -> torch.Tensor:
        return self.view[ann_id]['inputs']['support'][0]

    def _load(self, blocks: list[Block]) -> DataLoader:
        """Batches of instances, block after block; none holds two blocks' instances."""
        size = self.sizes.image_batch
        batches = [
            ids[start : start + size]
            for ids in (list(block.ann_ids) for block in blocks)
            for start in range(0, len(ids), size)
        ]
        given = self.loader
        return DataLoader(
            self.view,
            batch_sampler=batches,
            num_workers=given.num_workers,
            collate_fn=collate_episodes,
            pin_memory=given.pin_memory and self.device.type == 'cuda',
            timeout=given.timeout,
            worker_init_fn=given.worker_init_fn,
            multiprocessing_context=given.multiprocessing_context,
            prefetch_factor=given.prefetch_factor,
        )

    def _count(self, encoded: EncodedBlock) -> None:
        self.num_encoded += len(encoded.rows)
        if encoded.bank.place is not None:
            place = str(encoded.bank.place)
            needed = encoded.bank.num_bytes
            self.bank_bytes[place] = max(self.bank_bytes.get(place, 0), needed)

    def describe(self) -> str:
        """What was encoded, and where features were kept."""
        banks = ', '.join(
            f'up to {num_bytes / MIB:,.0f} MiB on {place}'
            for place, num_bytes in self.bank_bytes.items()
        )
        text = f'{self.num_encoded:,} instances through the backbone once each'
        return f'{text}, features {banks}' if banks else text
