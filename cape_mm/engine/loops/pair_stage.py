"""Second stage: the episodes of a block, many at a time, from kept features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from mmengine.model import BaseModel

from ...models.estimators import fill_predictions
from ...structures import Episode, EpisodeDataSample, EpisodeInputs
from ...structures.device_copies import copy_without_waiting
from .instance_stage import EncodedBlock

EpisodeItem = tuple[Episode, EpisodeDataSample]


def batch_episodes(
    items: Sequence[EpisodeItem], max_pairs: int
) -> Iterator[list[EpisodeItem]]:
    """Consecutive episodes with equally many supports, as many as a batch may hold.

    Args:
        items: episodes with their data samples.
        max_pairs: loaded queries per batch; an episode with more is a batch alone.
    """
    batch: list[EpisodeItem] = []
    num_pairs = 0
    for item in items:
        episode, sample = item
        is_full = num_pairs + len(sample.query_slots) > max_pairs
        if batch and (is_full or _num_shots(item) != _num_shots(batch[0])):
            yield batch
            batch, num_pairs = [], 0
        batch.append(item)
        num_pairs += len(sample.query_slots)
    if batch:
        yield batch


def _num_shots(item: EpisodeItem) -> int:
    return len(item[0].support_ids)


def predict_batch(
    model: BaseModel,
    block: EncodedBlock,
    batch: Sequence[EpisodeItem],
    device: torch.device,
) -> list[EpisodeDataSample]:
    """Predict a batch of episodes from the features of their block.

    Args:
        model: a model that has ``predict_from_features``, in evaluation mode.
        block: what :func:`~cape_mm.engine.loops.instance_stage.encode_block` gave.
        batch: episodes with equally many supports; none of the queries of some may
            have loaded.
        device: the model's.

    Returns:
        The data samples with ``pred_instances``.
    """
    loaded = [item for item in batch if len(item[1].query_slots)]
    predicted = None
    if loaded:
        supports = [
            [block.rows[i] for i in episode.support_ids] for episode, _ in loaded
        ]
        queries = [
            block.rows[episode.query_ids[slot]]
            for episode, sample in loaded
            for slot in sample.query_slots
        ]
        flat = [row for rows in supports for row in rows]
        features = block.bank.take(flat, queries, device)
        inputs = _make_inputs(block, supports, loaded, device)
        predicted = model.predict_from_features(features, inputs)
    samples = [sample for _, sample in batch]
    fill_predictions(samples, predicted)
    return samples


def _make_inputs(
    block: EncodedBlock,
    supports: list[list[int]],
    loaded: Sequence[EpisodeItem],
    device: torch.device,
) -> EpisodeInputs:
    """Supports and graph of a batch, as the data preprocessor gives them."""
    index = torch.tensor(supports)  # (B, S)
    counts = torch.tensor([len(sample.query_slots) for _, sample in loaded])
    owners = torch.arange(len(loaded)).repeat_interleave(counts)
    is_known = block.shows[index.numpy()].any(axis=1)
    index = copy_without_waiting(index, device)
    no_images = block.keypoints.new_zeros(0)
    return EpisodeInputs(
        support_images=no_images,
        query_images=no_images,
        support_keypoints=block.keypoints[index],
        support_visible=block.visible[index],
        hops=block.hops.expand(len(loaded), -1, -1),
        query_to_episode=copy_without_waiting(owners, device),
        num_steps=int(is_known.sum(axis=1).max()),
    )
