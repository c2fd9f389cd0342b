"""Every instance of an evaluation once, and episodes put together from them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.utils.data import Dataset

from ..errors import InstanceLoadError
from ..structures import Episode, EpisodeDataSample
from .episode_packing import LABEL_KEYS, OPTIONAL_KEYS
from .mp100_dataset import MP100EpisodeDataset

ITSELF = -1
"""Stands for the instance where an episode would have to name it a second time."""
NO_IMAGE = torch.zeros(0, dtype=torch.uint8)


class InstanceView(Dataset):
    """Instances on their own, through the data set's pipeline.

    ``view[ann_id]`` is what the data set gives for an episode in which the instance is
    the one support and the one query; its image comes once, as ``support``. An instance
    that can't be loaded is an episode that was dropped.

    Args:
        dataset: the data set, in evaluation.
    """

    def __init__(self, dataset: MP100EpisodeDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, ann_id: int) -> dict:
        category_id = self.dataset.index[ann_id].category_id
        episode = Episode(category_id, (ann_id,), (ITSELF,))
        try:
            packed = self.dataset.load_instance(ann_id, episode.seed)
        except InstanceLoadError as error:
            dropped = [dict(slot=0, ann_id=ann_id, reason=error.reason)]
            return self.dataset.pack(episode, [], [], dropped)
        item = self.dataset.pack(episode, [packed], [packed], [])
        item['inputs']['query'] = item['inputs']['query'][:0]
        return item


class KnownInstances:
    """Labels of instances, and why the others could not be loaded.

    Attributes:
        labels: what ``PackInstance`` returned, without the image, by annotation id.
        reasons: why an instance did not load, by annotation id.
    """

    def __init__(self) -> None:
        self.labels: dict[int, dict] = {}
        self.reasons: dict[int, str] = {}

    def add(self, sample: EpisodeDataSample) -> int:
        """Take over an item of :class:`InstanceView`; returns its annotation id."""
        if sample.dropped_pairs:
            (pair,) = sample.dropped_pairs
            self.reasons[pair['ann_id']] = pair['reason']
            return pair['ann_id']
        own = sample.support_instances
        ann_id = int(own.ann_ids[0])
        self.labels[ann_id] = dict(
            {key: own[key][0] for key in (*LABEL_KEYS, *OPTIONAL_KEYS) if key in own},
            image=NO_IMAGE,
            bbox=own.bboxes[0],
            ann_id=ann_id,
            img_id=int(own.img_ids[0]),
            img_path=sample.support_img_paths[0],
            crop_to_image=sample.crop_to_image[0],
            input_size=tuple(sample.input_size),
        )
        return ann_id

    def load(self, ann_id: int, episode_seed: int = 0) -> dict:
        """As the data set loads an instance, but from memory and without the image."""
        if ann_id in self.reasons:
            error = InstanceLoadError(f'annotation {ann_id}: {self.reasons[ann_id]}')
            error.reason = self.reasons[ann_id]
            raise error
        return self.labels[ann_id]

    def serve(
        self, dataset: MP100EpisodeDataset, episodes: Iterable[Episode]
    ) -> list[EpisodeDataSample]:
        """The data samples that the data set would give, with all of its drops."""
        items = (dataset.assemble(episode, self.load) for episode in episodes)
        return [item['data_samples'] for item in items]
