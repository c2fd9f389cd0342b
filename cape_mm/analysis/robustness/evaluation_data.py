"""The episodes of an evaluation and what they are made from, as a value to edit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch.utils.data import DataLoader

from ...datasets import MP100EpisodeDataset
from ...datasets.categories import Category
from ...datasets.instance_filters import Instance
from ...datasets.transforms.geometric import WarpInstance
from ...errors import ConfigError
from ...structures import Episode


@dataclass(frozen=True)
class EvaluationData:
    """Episodes, and the data set that they index. Editing makes a new one.

    Attributes:
        dataset: is never changed; edits work on shallow copies.
        episodes: in the order of evaluation; an edit keeps every ``index`` and the
            order of the queries, by which the pairs of two runs are matched.
        keypoint_order: by category id, which original keypoint stands at each place,
            int (K,), where an edit changed that.
        notes: what a reader of the result has to know.
    """

    dataset: MP100EpisodeDataset
    episodes: tuple[Episode, ...]
    keypoint_order: Mapping[int, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of_loader(
        cls, loader: DataLoader, episodes_per_category: int | None = None
    ) -> EvaluationData:
        """The episodes of a test, or the first few of every category.

        Raises:
            ConfigError: the loader is not one of fixed MP-100 episodes, templates stand
                in for its supports, or less than one episode is asked for.
        """
        dataset = loader.dataset
        episodes = getattr(loader.sampler, 'episodes', None)
        if not isinstance(dataset, MP100EpisodeDataset) or not episodes:
            raise ConfigError(
                'robustness is measured on fixed episodes: test_dataloader needs '
                "dataset=dict(type='MP100EpisodeDataset', test_mode=True, ...) and "
                "sampler=dict(type='FixedEpisodeSampler', ...)"
            )
        if dataset.templates:
            raise ConfigError(
                f'templates of {dataset.template_file} stand in for the supports, so '
                f'there is no support to change. Leave template_file out.'
            )
        return cls(dataset, first_of_each_category(episodes, episodes_per_category))

    @property
    def category_ids(self) -> list[int]:
        """Categories of the episodes, in the order in which they come first."""
        return list(dict.fromkeys(episode.category_id for episode in self.episodes))

    def with_categories(self, change: Callable[[Category], Category]) -> EvaluationData:
        """Another skeleton, or more, for every category of the episodes."""
        categories = dict(self.dataset.categories)
        categories |= {i: change(categories[i]) for i in self.category_ids}
        return self._with_dataset(categories=categories)

    @property
    def free_id(self) -> int:
        """From here on no annotation of the data set has an id."""
        return 1 + max(inst.ann_id for inst in self.dataset.index.instances)

    def with_instances(self, instances: Iterable[Instance]) -> EvaluationData:
        """Further instances, or others in the place of those with the same id."""
        return self._with_dataset(instances=instances)

    def with_transforms(
        self,
        before_warp: Sequence[Callable] = (),
        after_warp: Sequence[Callable] = (),
    ) -> EvaluationData:
        """A pipeline with further transforms around ``WarpInstance``.

        Raises:
            ConfigError: the pipeline has no ``WarpInstance``.
        """
        steps = list(self.dataset.pipeline.transforms)
        places = [i for i, step in enumerate(steps) if isinstance(step, WarpInstance)]
        if len(places) != 1:
            raise ConfigError(
                f'the test pipeline has {len(places)} transforms WarpInstance; one is '
                f'needed, before or after which pictures are changed'
            )
        place = places[0]
        steps[place + 1 : place + 1] = after_warp
        steps[place:place] = before_warp
        return self._with_dataset(pipeline=steps)

    def _with_dataset(self, **attributes) -> EvaluationData:
        return replace(self, dataset=self.dataset.with_changes(**attributes))


def first_of_each_category(
    episodes: Iterable[Episode], number: int | None
) -> tuple[Episode, ...]:
    """The first episodes of every category, all for None; their indices stay.

    Raises:
        ConfigError: less than one is asked for.
    """
    if number is None:
        return tuple(episodes)
    if number < 1:
        raise ConfigError(f'--episodes-per-category must be at least 1, got {number}')
    kept: dict[int, list[Episode]] = {}
    for episode in episodes:
        kept.setdefault(episode.category_id, []).append(episode)
    chosen = [e for group in kept.values() for e in group[:number]]
    return tuple(sorted(chosen, key=lambda episode: episode.index))


def make_loader(loader: DataLoader, data: EvaluationData) -> DataLoader:
    """A loader of edited episodes that works as the given one does."""
    sampler = copy.copy(loader.sampler)
    sampler.episodes = list(data.episodes)
    return DataLoader(
        data.dataset,
        batch_size=loader.batch_size,
        sampler=sampler,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
    )
