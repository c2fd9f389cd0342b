"""First stage: every instance of a block through the backbone, once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from mmengine.model import BaseModel

from ...datasets.instance_view import KnownInstances
from .feature_bank import FeatureBank


@dataclass
class EncodedBlock:
    """What the episodes of a block are put together from.

    Attributes:
        bank: features, a row per instance that could be loaded.
        known: labels of these, and what became of the others.
        rows: row by annotation id.
        images: uint8 BGR (3, H, W) by annotation id.
        keypoints: marked points of every row as supports, [0, 1], (R, K, 2).
        visible: which of them are visible, bool (R, K).
        shows: the same on the CPU.
        hops: graph distances of the category, (1, K, K).
    """

    bank: FeatureBank
    known: KnownInstances = field(default_factory=KnownInstances)
    rows: dict[int, int] = field(default_factory=dict)
    images: dict[int, torch.Tensor] = field(default_factory=dict)
    keypoints: torch.Tensor | None = None
    visible: torch.Tensor | None = None
    shows: np.ndarray | None = None
    hops: torch.Tensor | None = None


def preprocess_instances(model: BaseModel, batch: dict) -> dict:
    """The model's own preprocessing; every instance is its own support and query.

    Args:
        model: a model that has ``encode_instances``.
        batch: collated items of :class:`~cape_mm.datasets.instance_view.InstanceView`.
    """
    images = batch['inputs']['support']
    inputs = dict(support=images, query=images)
    data = dict(inputs=inputs, data_samples=batch['data_samples'])
    return model.data_preprocessor(data, False)


def encode_block(
    model: BaseModel, batches: Iterable[dict], bank: FeatureBank
) -> EncodedBlock:
    """Fill a bank with the instances of one block.

    Args:
        model: a model that has ``encode_instances``, in evaluation mode.
        batches: collated items of ``InstanceView``, all of one category.
        bank: an empty bank with a row for each of them.
    """
    block = EncodedBlock(bank)
    tables: list[tuple[torch.Tensor, torch.Tensor]] = []
    for batch in batches:
        stack = batch['inputs']['support']
        for index, sample in enumerate(batch['data_samples']):
            ann_id = block.known.add(sample)
            if ann_id in block.known.labels:
                block.rows[ann_id] = len(block.rows)
                block.images[ann_id] = stack[index][0]
        inputs = preprocess_instances(model, batch)['inputs']
        if inputs is None:
            continue
        bank.append(model.encode_instances(inputs))
        # one shot each
        tables.append((inputs.support_keypoints[:, 0], inputs.support_visible[:, 0]))
        block.hops = inputs.hops[:1]
    if tables:
        block.keypoints, block.visible = map(torch.cat, zip(*tables))
        block.shows = block.visible.cpu().numpy()
    return block
