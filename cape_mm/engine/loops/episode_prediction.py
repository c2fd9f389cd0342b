"""Prediction of many episodes of a category, whose instances are encoded once.

First every distinct instance passes the backbone; then the episodes, many at a time,
are predicted from the features that were kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from mmengine.model import BaseModel

from ...datasets.instance_view import KnownInstances
from ...models.estimators import InstanceFeatures, fill_predictions
from ...structures import Episode, EpisodeDataSample, EpisodeInputs
from ...structures.episode_batch import copy_without_waiting

EpisodeItem = tuple[Episode, EpisodeDataSample]


class FeatureBank:
    """Features of instances, a row each, on the model's device.

    Args:
        num_rows: instances, at most.
    """

    def __init__(self, num_rows: int) -> None:
        self.num_rows = num_rows
        self._size = 0
        self._kept: InstanceFeatures | None = None

    def append(self, features: InstanceFeatures) -> None:
        """Keep the features of some more instances, in the order of their rows."""
        if self._kept is None:
            roles = features.as_support, features.as_query
            empty = (
                tuple(p.new_empty(self.num_rows, *p.shape[1:]) for p in role)
                for role in roles
            )
            self._kept = InstanceFeatures(*empty)
        parts = (*features.as_support, *features.as_query)
        end = self._size + len(parts[0])
        kept = (*self._kept.as_support, *self._kept.as_query)
        for storage, part in zip(kept, parts):
            storage[self._size : end].copy_(part)
        self._size = end

    def take(self, supports: Sequence[int], queries: Sequence[int]) -> InstanceFeatures:
        """Features by row number."""
        assert self._kept is not None, 'nothing was kept'
        return InstanceFeatures(
            *(
                tuple(part.index_select(0, _index(rows, part.device)) for part in role)
                for role, rows in (
                    (self._kept.as_support, supports),
                    (self._kept.as_query, queries),
                )
            )
        )


def _index(rows: Sequence[int], device: torch.device) -> torch.Tensor:
    return copy_without_waiting(torch.as_tensor(rows), device)


@dataclass
class EncodedInstances:
    """What episodes are put together from.

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


def encode_instances(
    model: BaseModel, batches: Iterable[dict], num_rows: int
) -> EncodedInstances:
    """Encode instances of one category; each is its own support and query.

    Args:
        model: a model that has ``encode_instances``, in evaluation mode.
        batches: collated items of ``InstanceView``.
        num_rows: instances in all of them.
    """
    encoded = EncodedInstances(FeatureBank(num_rows))
    tables: list[tuple[torch.Tensor, torch.Tensor]] = []
    for batch in batches:
        images = batch['inputs']['support']
        for index, sample in enumerate(batch['data_samples']):
            ann_id = encoded.known.add(sample)
            if ann_id in encoded.known.labels:
                encoded.rows[ann_id] = len(encoded.rows)
                encoded.images[ann_id] = images[index][0]
        batch = {**batch, 'inputs': {**batch['inputs'], 'query': images}}
        inputs = model.data_preprocessor(batch, False)['inputs']
        if inputs is None:  # none of them could be loaded
            continue
        encoded.bank.append(model.encode_instances(inputs))
        # one shot each
        tables.append((inputs.support_keypoints[:, 0], inputs.support_visible[:, 0]))
        encoded.hops = inputs.hops[:1]
    if tables:
        encoded.keypoints, encoded.visible = map(torch.cat, zip(*tables))
        encoded.shows = encoded.visible.cpu().numpy()
    return encoded


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
    for episode, sample in items:
        is_full = num_pairs + len(sample.query_slots) > max_pairs
        if batch and (is_full or _num_shots(episode) != _num_shots(batch[0][0])):
            yield batch
            batch, num_pairs = [], 0
        batch.append((episode, sample))
        num_pairs += len(sample.query_slots)
    if batch:
        yield batch


def _num_shots(episode: Episode) -> int:
    return len(episode.support_ids)


def predict_episodes(
    model: BaseModel, encoded: EncodedInstances, batch: Sequence[EpisodeItem]
) -> list[EpisodeDataSample]:
    """Predict a batch of episodes from the features of their category.

    Args:
        model: a model that has ``predict_from_features``, in evaluation mode.
        encoded: what :func:`encode_instances` gave.
        batch: episodes with equally many supports; none of the queries of some may
            have loaded.

    Returns:
        The data samples with ``pred_instances``.
    """
    loaded = [item for item in batch if len(item[1].query_slots)]
    predicted = None
    if loaded:
        supports = [
            [encoded.rows[i] for i in episode.support_ids] for episode, _ in loaded
        ]
        queries = [
            encoded.rows[episode.query_ids[slot]]
            for episode, sample in loaded
            for slot in sample.query_slots
        ]
        features = encoded.bank.take([r for rows in supports for r in rows], queries)
        inputs = _make_inputs(encoded, supports, loaded)
        predicted = model.predict_from_features(features, inputs)
    samples = [sample for _, sample in batch]
    fill_predictions(samples, predicted)
    return samples


def _make_inputs(
    encoded: EncodedInstances,
    supports: list[list[int]],
    loaded: Sequence[EpisodeItem],
) -> EpisodeInputs:
    """Supports and graph of a batch, as the data preprocessor gives them."""
    device = encoded.keypoints.device
    index = torch.tensor(supports)  # (B, S)
    counts = torch.tensor([len(sample.query_slots) for _, sample in loaded])
    owners = torch.arange(len(loaded)).repeat_interleave(counts)
    is_known = encoded.shows[index.numpy()].any(axis=1)
    index = copy_without_waiting(index, device)
    no_images = encoded.keypoints.new_zeros(0)
    return EpisodeInputs(
        support_images=no_images,
        query_images=no_images,
        support_keypoints=encoded.keypoints[index],
        support_visible=encoded.visible[index],
        hops=encoded.hops.expand(len(loaded), -1, -1),
        query_to_episode=copy_without_waiting(owners, device),
        num_steps=int(is_known.sum(axis=1).max()),
    )


class EpisodeImages(Sequence):
    """Images of predicted episodes, stacked when a hook asks for them.

    Args:
        ids: annotation ids of the images of each episode.
        image_of: uint8 BGR image (3, H, W) of an annotation id.
    """

    def __init__(
        self,
        ids: Sequence[Sequence[int]],
        image_of: Callable[[int], torch.Tensor],
    ) -> None:
        self.ids = ids
        self.image_of = image_of

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Images of one episode, uint8 (n, 3, H, W)."""
        ids = self.ids[index]
        if not len(ids):
            return torch.zeros(0, 3, 0, 0, dtype=torch.uint8)
        return torch.stack([self.image_of(ann_id) for ann_id in ids])


def episode_images(
    batch: Sequence[EpisodeItem], encoded: EncodedInstances
) -> dict[str, EpisodeImages]:
    """``support`` and ``query`` images of a batch; none where nothing was loaded."""
    supports = [
        episode.support_ids if len(sample.query_slots) else ()
        for episode, sample in batch
    ]
    queries = [
        [episode.query_ids[slot] for slot in sample.query_slots]
        for episode, sample in batch
    ]
    image_of = encoded.images.__getitem__
    return dict(
        support=EpisodeImages(supports, image_of),
        query=EpisodeImages(queries, image_of),
    )
