"""Samplers make episodes: random ones for training, a fixed list for evaluation."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmpose.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from ..errors import ConfigError
from ..structures import Episode
from ..utils.value_checks import check_at_least
from .episode_pools import (
    EpisodeSize,
    EvaluationPlan,
    InstanceIds,
    make_plan,
    usable_pools,
)
from .frozen_episodes import (
    OFFICIAL_SEED,
    check_frozen_episodes,
    episodes_sha256,
    read_frozen_episodes,
)
from .mp100_dataset import MP100EpisodeDataset
from .multi_source_dataset import MultiSourceEpisodeDataset, sources_of

ANY_INSTANCE = EpisodeSize(0, 1, distinct_images=False)
"""What ``same_instance`` takes from a category."""


class SameInstanceEpisode(Episode):
    """An episode whose queries are its support, to debug a wiring."""

    def __post_init__(self) -> None:
        """Unlike an :class:`Episode`, accept that an instance appears twice."""


@DATA_SAMPLERS.register_module()
class EpisodeSampler(Sampler[Episode]):
    """Yields the training episodes of one epoch, each rank its own share.

    Every episode is drawn afresh from (seed, epoch, index): the source by weight, where
    the data set has several, then a category, all equally likely, then its instances.
    No random state is kept, so an epoch is the same on any number of ranks and workers.

    Args:
        dataset: gives the usable instances by category.
        num_shots: supports per episode, S, or a pair (low, high): every episode draws
            its own S from low..high, all equally likely.
        num_queries: queries per episode, Q.
        episodes_per_epoch: episodes per epoch, over all ranks; has to be given.
        distinct_images: a query never shares an image with a support.
        skip_small_categories: leave categories with too few instances out, with a
            warning, instead of refusing them.
        seed: the Runner gives its own to a sampler that has none.
        same_instance: debugging only: every episode of a category consists of its first
            instance, as the supports and as the queries. A model that can't learn that
            is wired wrong.
        max_categories: debugging only: the first so many categories of the file.

    Raises:
        ImpossibleEpisodeError: a category has too few instances.
        ConfigError: an argument makes no sense.
    """

    def __init__(
        self,
        dataset: MP100EpisodeDataset | MultiSourceEpisodeDataset,
        num_shots: int | tuple[int, int] = 1,
        num_queries: int = 1,
        episodes_per_epoch: int | None = None,
        distinct_images: bool = True,
        skip_small_categories: bool = False,
        seed: int | None = None,
        same_instance: bool = False,
        max_categories: int | None = None,
    ) -> None:
        self.min_shots, self.max_shots = read_num_shots(num_shots)
        check_at_least('episodes_per_epoch', episodes_per_epoch, 1)
        _check_sizes(self.min_shots, num_queries, max_categories)
        self.num_shots = num_shots
        self.num_queries = num_queries
        self.episodes_per_epoch = episodes_per_epoch
        self.distinct_images = distinct_images
        self.same_instance = same_instance
        self.max_categories = max_categories
        self.size = EpisodeSize(self.max_shots, num_queries, distinct_images)
        size = ANY_INSTANCE if same_instance else self.size
        options = size, skip_small_categories, max_categories
        sources = sources_of(dataset)
        self.pools_by_source = [
            usable_pools(source.dataset, *options, source.name) for source in sources
        ]
        weights = np.array([source.weight for source in sources])
        self.weights = weights / weights.sum()
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.run_length = 1

    def draw_in_runs(self, length: int) -> None:
        """Draw so many episodes in a row alike: same category, same number of shots.

        Episodes that share a batch then need no padding.
        """
        self.run_length = length

    def restrict(self, category_ids: Sequence[Collection[int]]) -> None:
        """Draw episodes of some categories only.

        Args:
            category_ids: of every source, at least one that can be drawn in all.
        """
        self.pools_by_source = [
            {key: pool for key, pool in pools.items() if key in wanted}
            for pools, wanted in zip(self.pools_by_source, category_ids)
        ]
        weights = np.where([*map(bool, self.pools_by_source)], self.weights, 0.0)
        self.weights = weights / weights.sum()

    def _draw(self, index: int) -> Episode:
        rng = shared = np.random.default_rng([self.seed, self.epoch, index])
        if self.run_length > 1:
            run = index // self.run_length
            shared = np.random.default_rng([self.seed, self.epoch, run, 1])
        # nothing is drawn where there is no choice: one source is as a data set alone
        source = 0
        if len(self.weights) > 1:
            source = int(shared.choice(len(self.weights), p=self.weights))
        pools = self.pools_by_source[source]
        category_ids = list(pools)
        category_id = category_ids[shared.integers(len(category_ids))]
        pool = pools[category_id]
        num_shots = self.max_shots
        if self.min_shots < self.max_shots:
            num_shots = int(shared.integers(self.min_shots, self.max_shots + 1))
        shuffled = [pool[i] for i in rng.permutation(len(pool))]
        size = replace(self.size, num_shots=num_shots)
        kind, ids = Episode, choose_instances(shuffled, size)
        if self.same_instance:
            kind, ids = SameInstanceEpisode, same_instance_ids(pool, size)
        return kind(category_id, *ids, int(rng.integers(2**31)), index, source)

    def __iter__(self) -> Iterator[Episode]:
        for i in range(len(self)):
            yield self._draw(self.rank + i * self.world_size)

    def __len__(self) -> int:
        """Episodes of this rank; all ranks have equally many."""
        return -(-self.episodes_per_epoch // self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose episodes the next iteration yields."""
        self.epoch = epoch


@DATA_SAMPLERS.register_module()
class FixedEpisodeSampler(Sampler[Episode]):
    """Yields the fixed list of an evaluation's episodes, each rank its own share.

    The official draw of MP-100, made once: for every category, in the file's order,
    ``episodes_per_category`` times ``random.sample`` of S + Q instances from one
    ``random.Random(draw_seed)``; the first S are the supports. With ``episodes_file``
    nothing is drawn: the file's episodes come in its order.

    Attributes:
        episodes: those of all ranks.
        evaluation_plan: the pairs of a full draw, those of categories left out
            included, see :mod:`~cape_mm.datasets.episode_pools`.

    Args:
        dataset: gives the usable instances by category.
        num_shots: supports per episode, S. None is 1, or what ``episodes_file`` has.
        num_queries: queries per episode, Q. None is 1, or what ``episodes_file`` has.
        episodes_per_category: official: 200 in test, 100 in val, with 15 queries each;
            has to be given without ``episodes_file``.
        distinct_images: a query never shares an image with a support. The official draw
            only asks for different instances; switch it off to reproduce that exactly.
        skip_small_categories: as in :class:`EpisodeSampler`.
        seed: not used: the Runner gives one to every sampler.
        draw_seed: seed of the draw; the default is the official one.
        episodes_file: episodes stored by ``tools/dataset_tools/freeze_episodes.py``, to
            replay. Where ``num_shots``, ``num_queries`` or ``episodes_per_category``
            are given too, they must be those of the file.
        same_instance: as in :class:`EpisodeSampler`; not of stored episodes.
        max_categories: likewise.

    Raises:
        ImpossibleEpisodeError: a category has too few instances.
        ConfigError: an argument makes no sense, or does not fit the stored episodes, or
            these belong to another annotation file.
        MissingDataError: ``episodes_file`` does not exist.
        AnnotationFormatError: it is no such file, or was edited.
    """

    def __init__(
        self,
        dataset: MP100EpisodeDataset,
        num_shots: int | None = None,
        num_queries: int | None = None,
        episodes_per_category: int | None = None,
        distinct_images: bool = True,
        skip_small_categories: bool = False,
        seed: int | None = None,
        draw_seed: int = OFFICIAL_SEED,
        episodes_file: str | None = None,
        same_instance: bool = False,
        max_categories: int | None = None,
    ) -> None:
        if isinstance(dataset, MultiSourceEpisodeDataset):
            raise ConfigError(
                'an evaluation takes one data set, not several sources: evaluate on '
                'each of them'
            )
        self.rank, self.world_size = get_dist_info()
        self.distinct_images = distinct_images
        self.same_instance = same_instance
        self.max_categories = max_categories
        self.draw_seed = draw_seed
        if episodes_file is not None:
            given = (num_shots, num_queries, episodes_per_category)
            self._replay(dataset, episodes_file, given)
            return
        self.num_shots = 1 if num_shots is None else num_shots
        self.num_queries = 1 if num_queries is None else num_queries
        self.episodes_per_category = episodes_per_category
        self._check_draw()
        size = EpisodeSize(self.num_shots, self.num_queries, distinct_images)
        needed = ANY_INSTANCE if same_instance else size
        pools = usable_pools(dataset, needed, skip_small_categories, max_categories)
        self.episodes = self._draw(pools, size)
        reason = 'category with too few instances'
        if max_categories is not None:
            reason += f' or not among the first {max_categories}'
        self.evaluation_plan: EvaluationPlan = make_plan(dataset, self.episodes, reason)

    def _check_draw(self) -> None:
        if type(self.num_shots) is not int:
            raise ConfigError(
                f'an evaluation takes one number of shots, got {self.num_shots!r}. '
                f'Evaluate once for each, e.g. --cfg-options '
                f'test_dataloader.sampler.num_shots=5'
            )
        check_at_least('episodes_per_category', self.episodes_per_category, 1)
        _check_sizes(self.num_shots, self.num_queries, self.max_categories)

    def _draw(
        self, pools: Mapping[int, InstanceIds], size: EpisodeSize
    ) -> list[Episode]:
        rng = random.Random(self.draw_seed)
        episodes: list[Episode] = []
        for category_id, pool in pools.items():
            number = (
                len(pool) if size.distinct_images else size.num_shots + size.num_queries
            )
            for _ in range(self.episodes_per_category):
                if self.same_instance:
                    kind, ids = SameInstanceEpisode, same_instance_ids(pool, size)
                else:
                    drawn = rng.sample(pool, number)
                    kind, ids = Episode, choose_instances(drawn, size)
                place = len(episodes)
                episodes.append(kind(category_id, *ids, seed=place, index=place))
        return episodes

    def _replay(
        self, dataset: MP100EpisodeDataset, path: str, given: Sequence[int | None]
    ) -> None:
        frozen = read_frozen_episodes(path)
        check_frozen_episodes(frozen, dataset, path)
        for (name, value), wanted in zip(frozen.settings().items(), given):
            if wanted is not None and wanted != value:
                raise ConfigError(
                    f'{name}={wanted!r}, but the episodes of {path} have '
                    f'{name}={value!r}. Set {name}=None to take the value of the file, '
                    f'or replay another file.'
                )
            setattr(self, name, value)
        self.episodes = list(frozen.episodes)
        reason = 'category not in the episodes file'
        self.evaluation_plan = make_plan(dataset, self.episodes, reason)

    @property
    def episodes_sha256(self) -> str:
        """Fingerprint of the draw, the same on every rank.

        See :func:`~cape_mm.datasets.frozen_episodes.episodes_sha256`.
        """
        return episodes_sha256(self.episodes)

    def __iter__(self) -> Iterator[Episode]:
        yield from self.episodes[self.rank :: self.world_size]

    def __len__(self) -> int:
        """Episodes of this rank."""
        return len(self.episodes[self.rank :: self.world_size])

    def set_epoch(self, epoch: int) -> None:
        """The list is the same in every epoch."""


def choose_instances(
    shuffled: InstanceIds, size: EpisodeSize
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first S instances, and the first Q of the others that may be queries.

    Returns:
        Annotation ids of the supports and of the queries.
    """
    supports, others = shuffled[: size.num_shots], shuffled[size.num_shots :]
    if size.distinct_images:
        images = {img_id for _, img_id in supports}
        others = [ids for ids in others if ids[1] not in images]
    queries = others[: size.num_queries]
    return tuple(i for i, _ in supports), tuple(i for i, _ in queries)


def same_instance_ids(
    pool: InstanceIds, size: EpisodeSize
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A category's first instance, as the supports and as the queries."""
    ann_id, _ = pool[0]
    return (ann_id,) * size.num_shots, (ann_id,) * size.num_queries


def read_num_shots(num_shots: int | Sequence[int]) -> tuple[int, int]:
    """Smallest and largest number of supports of a training episode.

    Raises:
        ConfigError: neither a number nor a pair (low, high).
    """
    is_pair = isinstance(num_shots, (list, tuple)) and len(num_shots) == 2
    low, high = num_shots if is_pair else (num_shots, num_shots)
    if not (type(low) is type(high) is int) or low > high:
        raise ConfigError(
            f'EpisodeSampler: num_shots is a number or a pair (low, high) with '
            f'low <= high, got {num_shots!r}'
        )
    return low, high


def _check_sizes(num_shots: int, num_queries: int, max_categories: int | None) -> None:
    check_at_least('num_shots', num_shots, 1)
    check_at_least('num_queries', num_queries, 1)
    check_at_least('max_categories', max_categories or 1, 1)
