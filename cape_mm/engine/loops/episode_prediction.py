"""Prediction of many episodes of a category, whose instances are encoded once.

First every distinct instance passes the backbone; then the episodes, many at a time,
are predicted from the features that were kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from mmengine.model import BaseModel

from ...datasets.collate import collate_supports
from ...datasets.instance_view import KnownInstances
from ...models.estimators import ROLES, InstanceFeatures, fill_predictions
from ...structures import Episode, EpisodeDataSample, EpisodeInputs
from ...structures.episode_batch import copy_tensors, copy_without_waiting

EpisodeItem = tuple[Episode, EpisodeDataSample]


class FeatureBank:
    """Features of instances in one role, a row each, on the model's device.

    Args:
        num_rows: instances, at most.
        dtype: keep them in this precision; None as they come.
    """

    def __init__(self, num_rows: int, dtype: torch.dtype | None = None) -> None:
        self.num_rows = num_rows
        self.dtype = dtype
        self.rows: dict[int, int] = {}
        self._kept: tuple[torch.Tensor, ...] | None = None

    def append(self, ann_ids: Sequence[int], parts: Sequence[torch.Tensor]) -> None:
        """Keep the features of some more instances, a row for each annotation id."""
        if self._kept is None:
            self._kept = tuple(
                part.new_empty(self.num_rows, *part.shape[1:], dtype=self.dtype)
                for part in parts
            )
        start = len(self.rows)
        for storage, part in zip(self._kept, parts):
            storage[start : start + len(part)].copy_(part)
        self.rows.update((ann_id, start + n) for n, ann_id in enumerate(ann_ids))

    def take(self, ann_ids: Sequence[int]) -> tuple[torch.Tensor, ...]:
        """Features of some instances, float32 where ``dtype`` was given."""
        assert self._kept is not None, 'nothing was kept'
        rows = torch.as_tensor([self.rows[ann_id] for ann_id in ann_ids])
        index = copy_without_waiting(rows, self._kept[0].device)
        found = (part.index_select(0, index) for part in self._kept)
        return tuple(part.float() if self.dtype else part for part in found)


@dataclass
class EncodedInstances:
    """What episodes are put together from.

    Attributes:
        supports: features of those that are shown.
        queries: features of those that are predicted.
        known: labels of all, and what became of those that could not be loaded.
        images: uint8 BGR (3, H, W) by annotation id.
    """

    supports: FeatureBank
    queries: FeatureBank
    known: KnownInstances = field(default_factory=KnownInstances)
    images: dict[int, torch.Tensor] = field(default_factory=dict)

    def take(
        self, episodes: Sequence[Episode], samples: Sequence[EpisodeDataSample]
    ) -> InstanceFeatures:
        """Features of loaded episodes, the supports' and the loaded queries'."""
        return InstanceFeatures(
            self.supports.take([i for e in episodes for i in e.support_ids]),
            self.queries.take(
                [
                    e.query_ids[n]
                    for e, s in zip(episodes, samples)
                    for n in s.query_slots
                ]
            ),
        )


@dataclass(frozen=True)
class InstanceBatch:
    """Instances that pass the backbone together.

    Attributes:
        ann_ids: annotation ids.
        roles: what later episodes need of them, of ``ROLES``.
    """

    ann_ids: list[int]
    roles: tuple[str, ...]


def plan_instances(episodes: Sequence[Episode], size: int) -> list[InstanceBatch]:
    """Every distinct instance once, and only for what it is in these episodes.

    Args:
        episodes: of one category.
        size: instances per batch.
    """
    supports = dict.fromkeys(i for e in episodes for i in e.support_ids)
    queries = dict.fromkeys(i for e in episodes for i in e.query_ids)
    kinds = (
        (ROLES, [i for i in supports if i in queries]),
        (ROLES[:1], [i for i in supports if i not in queries]),
        (ROLES[1:], [i for i in queries if i not in supports]),
    )
    return [batch for roles, ids in kinds for batch in in_batches(ids, roles, size)]


def in_batches(
    ann_ids: list[int], roles: tuple[str, ...], size: int
) -> list[InstanceBatch]:
    """Instances of the same roles, so many per batch."""
    starts = range(0, len(ann_ids), size)
    return [InstanceBatch(ann_ids[start : start + size], roles) for start in starts]


def encode_instances(
    model: BaseModel,
    loaded: Iterable[dict],
    plan: Sequence[InstanceBatch],
    dtype: torch.dtype | None = None,
    keep_images: bool = True,
) -> EncodedInstances:
    """Encode instances of one category; each is its own support and query.

    Args:
        model: a model that has ``encode_instances``, in evaluation mode.
        loaded: collated items of ``InstanceView``, a batch for each of ``plan``.
        plan: see :func:`plan_instances`.
        dtype: see :class:`FeatureBank`.
        keep_images: for those who draw the episodes.
    """
    sizes = (
        sum(len(batch.ann_ids) for batch in plan if role in batch.roles)
        for role in ROLES
    )
    encoded = EncodedInstances(*(FeatureBank(size, dtype) for size in sizes))
    for batch, wanted in zip(loaded, plan):
        images = batch['inputs']['support']
        ann_ids = []
        for index, sample in enumerate(batch['data_samples']):
            ann_id = encoded.known.add(sample)
            if ann_id in encoded.known.labels:
                ann_ids.append(ann_id)
                if keep_images:
                    encoded.images[ann_id] = images[index][0]
        batch = {**batch, 'inputs': {**batch['inputs'], 'query': images}}
        inputs = model.data_preprocessor(batch, False)['inputs']
        if inputs is None:  # none of them could be loaded
            continue
        features = model.encode_instances(inputs, wanted.roles)
        for role, bank, parts in (
            ('support', encoded.supports, features.as_support),
            ('query', encoded.queries, features.as_query),
        ):
            if role in wanted.roles:
                bank.append(ann_ids, parts)
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
        features = encoded.take(*zip(*loaded))
        inputs = join_inputs(collate_supports([s for _, s in loaded]), features)
        predicted = model.predict_from_features(features, inputs)
    samples = [sample for _, sample in batch]
    fill_predictions(samples, predicted)
    return samples


def join_inputs(graph: dict, features: InstanceFeatures) -> EpisodeInputs:
    """What the data preprocessor gives, with features in the place of images.

    Args:
        graph: of loaded episodes with equally many supports, see
            :func:`~cape_mm.datasets.collate.collate_supports`.
        features: of their supports and queries.
    """
    device = features.as_query[0].device
    graph = copy_tensors(graph, device)
    del graph['num_shots']
    none = torch.zeros(0, device=device)
    return EpisodeInputs(none, none, **graph, features=features)


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
