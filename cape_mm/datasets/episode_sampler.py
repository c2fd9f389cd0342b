"""Samplers make episodes: random ones for training, a fixed list for evaluation."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.logging import print_log
from mmpose.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from ..errors import ConfigError, ImpossibleEpisodeError
from ..structures import Episode
from .episode_pools import InstanceIds, largest_fit, most_queries, name_some
from .evaluation_plan import announce_plan, make_plan
from .frozen_episodes import OFFICIAL_SEED, FrozenEpisodes, episodes_sha256
from .frozen_episodes_reading import check_frozen_episodes, read_frozen_episodes
from .mp100_dataset import MP100EpisodeDataset
from .multi_source_dataset import MultiSourceEpisodeDataset, sources_of
from .same_instance import repeat_instance
from .sampler_arguments import (
    agreed_settings,
    check_debugging,
    check_lengths,
    check_mode,
    read_num_shots,
)


@DATA_SAMPLERS.register_module()
class EpisodeSampler(Sampler[Episode]):
    """Yields the episodes of one epoch, each rank its own share.

    ``mode='train'``: every episode is drawn afresh from (seed, epoch, index): the
    source by weight, where the data set has several, then a category, all equally
    likely, then its instances. No random state is kept, so an epoch is the same on any
    number of ranks and workers.

    ``mode='eval'``: the official draw of MP-100, made once: for every category, in the
    file's order, ``episodes_per_category`` times ``random.sample`` of S + Q instances
    from one ``random.Random(draw_seed)``; the first S are the supports. With
    ``episodes_file`` nothing is drawn: the file's episodes come in its order.

    In evaluation the pairs of a full draw, those of categories left out included, are
    announced to the metric (see :mod:`~cape_mm.datasets.evaluation_plan`).

    Args:
        dataset: gives the usable instances by category; in training also of several
            sources.
        num_shots: supports per episode, S; in training also a pair (low, high): every
            episode draws its own S from low..high, all equally likely. None is 1, or
            what ``episodes_file`` has.
        num_queries: queries per episode, Q. None is 1, or what ``episodes_file`` has.
        mode: 'train' or 'eval'.
        episodes_per_epoch: training episodes per epoch, over all ranks.
        episodes_per_category: evaluation episodes per category (official: 200 in test,
            100 in val, with 15 queries each).
        distinct_images: a query never shares an image with a support. The official draw
            only asks for different instances; switch it off to reproduce that exactly.
        skip_small_categories: leave categories with too few instances out, with a
            warning, instead of refusing them.
        seed: training seed. The Runner gives its own to every sampler that has none,
            so evaluation does not look at it.
        draw_seed: seed of the evaluation draw; the default is the official one.
        same_instance: debugging only: every episode of a category consists of its first
            instance, as the supports and as the queries. A model that can't learn that
            is wired wrong. Refused for official and for stored episodes.
        max_categories: debugging only: the first so many categories of the file.
        episodes_file: evaluation episodes stored by ``freeze_episodes.py``, to
            replay. Where ``num_shots``, ``num_queries`` or ``episodes_per_category``
            are given too, they must be those of the file.

    Raises:
        ImpossibleEpisodeError: a category has too few instances.
        ConfigError: an argument does not fit the mode or the stored episodes, or these
            belong to another annotation file.
        MissingDataError: ``episodes_file`` does not exist.
        AnnotationFormatError: it is no such file, or was edited.
    """

    def __init__(
        self,
        dataset: MP100EpisodeDataset | MultiSourceEpisodeDataset,
        num_shots: int | tuple[int, int] | None = None,
        num_queries: int | None = None,
        mode: str = 'train',
        episodes_per_epoch: int | None = None,
        episodes_per_category: int | None = None,
        distinct_images: bool = True,
        skip_small_categories: bool = False,
        seed: int | None = None,
        draw_seed: int = OFFICIAL_SEED,
        episodes_file: str | None = None,
        same_instance: bool = False,
        max_categories: int | None = None,
    ) -> None:
        check_mode(mode, episodes_file)
        sources = sources_of(dataset)
        if mode == 'eval' and sources[0].dataset is not dataset:
            raise ConfigError(
                "EpisodeSampler: mode='eval' takes one data set, not several sources: "
                'evaluate on each of them'
            )
        frozen = None
        if episodes_file is None:
            check_lengths(mode, episodes_per_epoch, episodes_per_category)
        else:
            frozen = read_frozen_episodes(episodes_file)
            check_frozen_episodes(frozen, dataset, episodes_file)
            given = (num_shots, num_queries, episodes_per_category)
            stored = agreed_settings(given, frozen.settings(), episodes_file)
            num_shots, num_queries, episodes_per_category = stored
        num_shots = 1 if num_shots is None else num_shots
        num_queries = 1 if num_queries is None else num_queries
        self.min_shots, self.max_shots = read_num_shots(num_shots, mode)
        if self.min_shots < 1 or num_queries < 1:
            raise ConfigError(
                f'EpisodeSampler: num_shots and num_queries must be at least 1, got '
                f'{num_shots} and {num_queries}'
            )
        draw = (draw_seed, episodes_per_category, num_queries, distinct_images)
        is_drawn = mode == 'eval' and frozen is None
        check_debugging(
            same_instance, max_categories, episodes_file, draw if is_drawn else None
        )
        self.same_instance = same_instance
        self.max_categories = max_categories
        self.num_shots = num_shots
        self.num_queries = num_queries
        self.mode = mode
        self.episodes_per_epoch = episodes_per_epoch
        self.episodes_per_category = episodes_per_category
        self.distinct_images = distinct_images
        self.rank, self.world_size = get_dist_info()
        self.epoch = 0
        if mode == 'train':
            self.pools_by_source = [
                self._usable_pools(source.dataset, skip_small_categories, source.name)
                for source in sources
            ]
            self.weights = np.array([source.weight for source in sources])
            self.weights /= self.weights.sum()
            self.seed = sync_random_seed() if seed is None else seed
        else:
            self.seed = draw_seed
            self._set_evaluation(dataset, frozen, skip_small_categories)

    def restrict(self, category_ids: Sequence[Collection[int]]) -> int:
        """Draw training episodes of some categories only.

        Args:
            category_ids: of every source.

        Returns:
            How many of them can be drawn. Where there is none, nothing is changed.
        """
        pools = [
            {key: pool for key, pool in pools.items() if key in wanted}
            for pools, wanted in zip(self.pools_by_source, category_ids)
        ]
        number = sum(map(len, pools))
        if number and self.mode == 'train':
            self.pools_by_source = pools
            self.weights = np.where(list(map(bool, pools)), self.weights, 0.0)
            self.weights /= self.weights.sum()
        return number

    def _set_evaluation(
        self,
        dataset: MP100EpisodeDataset,
        frozen: FrozenEpisodes | None,
        skip_small: bool,
    ) -> None:
        if frozen is not None:
            self.pools_by_source = [dataset.instances_by_category]
            self.episodes = list(frozen.episodes)
            reason = 'category not in the episodes file'
        else:
            self.pools_by_source = [self._usable_pools(dataset, skip_small)]
            self.episodes = self._draw_evaluation()
            reason = 'category with too few instances'
            if self.max_categories is not None:
                reason += f' or not among the first {self.max_categories}'
        announce_plan(dataset, make_plan(dataset, self.episodes, reason))

    def _usable_pools(
        self, dataset: MP100EpisodeDataset, skip_small: bool, source_name: str = ''
    ) -> dict[int, InstanceIds]:
        where = f'source {source_name!r}: ' if source_name else ''
        pools, problems, seen = {}, [], []
        for category_id, pool in dataset.instances_by_category.items():
            if len(pools) == self.max_categories:
                break
            num_left_out = dataset.num_without_image[category_id]
            problem = self._problem_of(pool, num_left_out)
            if pool or num_left_out:
                seen.append(pool)
            if problem is None and pool:
                pools[category_id] = pool
            elif problem is not None:
                name = dataset.categories[category_id].name
                problems.append(f'category {category_id} ({name!r}) has {problem}')
        if not pools and not problems:
            raise ImpossibleEpisodeError(
                f'{where}{dataset.ann_file} has no usable instance'
            )
        if not problems:
            return pools
        message = (
            f'{where}{dataset.ann_file}: {name_some(problems)}, but an episode needs '
            f'num_shots + num_queries = {self.max_shots} + {self.num_queries}'
        )
        if self.distinct_images:
            message += ', the queries on other images than the supports'
        if not skip_small or not pools:
            sizes = (self.max_shots, self.num_queries, self.distinct_images)
            raise ImpossibleEpisodeError(
                f'{message}. Lower one of them, drop the category from the file, or '
                f'set skip_small_categories=True in the sampler.'
                f'{largest_fit(seen, *sizes)}'
            )
        print_log(f'{message}: left out', logger='current', level=logging.WARNING)
        return pools

    def _problem_of(self, pool: InstanceIds, num_left_out: int) -> str | None:
        """Why some draw from these instances could fail; None if none can.

        A category that the file has no annotations of is none of the problems.
        """
        if not pool and not num_left_out:
            return None
        if self.same_instance and pool:
            return None
        if most_queries(pool, self.max_shots, self.distinct_images) >= self.num_queries:
            return None
        problem = f'{len(pool)} usable instances'
        if self.distinct_images:
            problem += f' on {len({img_id for _, img_id in pool})} images'
        if num_left_out:
            problem += f' (the image files of {num_left_out} more are missing)'
        return problem

    @property
    def episodes_sha256(self) -> str:
        """Fingerprint of the evaluation draw, the same on every rank.

        See :func:`~cape_mm.datasets.frozen_episodes.episodes_sha256`.

        Raises:
            AttributeError: in training, where no list of episodes exists.
        """
        if self.mode != 'eval':
            raise AttributeError("episodes_sha256: only mode='eval' has fixed episodes")
        return episodes_sha256(self.episodes)

    def _draw_evaluation(self) -> list[Episode]:
        rng = random.Random(self.seed)
        episodes: list[Episode] = []
        (pools,) = self.pools_by_source
        for category_id, pool in pools.items():
            for _ in range(self.episodes_per_category):
                chosen = self._draw_instances(pool, rng)
                place = len(episodes)
                episodes.append(
                    self._make_episode(
                        category_id, chosen, self.max_shots, seed=place, index=place
                    )
                )
        return episodes

    def _draw_instances(self, pool: InstanceIds, rng: random.Random) -> list[int]:
        if not (self.distinct_images or self.same_instance):
            needed = self.max_shots + self.num_queries
            return [ann_id for ann_id, _ in rng.sample(pool, needed)]
        return self._choose(rng.sample(pool, len(pool)), self.max_shots)

    def _draw_training(self, index: int) -> Episode:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        source = self._draw_source(rng)
        pools = self.pools_by_source[source]
        category_ids = list(pools)
        category_id = category_ids[rng.integers(len(category_ids))]
        pool = pools[category_id]
        num_shots = self._draw_num_shots(rng)
        chosen = self._choose([pool[i] for i in rng.permutation(len(pool))], num_shots)
        seed = int(rng.integers(2**31))
        return self._make_episode(category_id, chosen, num_shots, seed, index, source)

    def _draw_source(self, rng: np.random.Generator) -> int:
        if len(self.weights) == 1:
            return 0  # nothing is drawn: one source draws as a data set alone
        return int(rng.choice(len(self.weights), p=self.weights))

    def _draw_num_shots(self, rng: np.random.Generator) -> int:
        if self.min_shots == self.max_shots:
            return self.max_shots  # nothing is drawn: a pair (n, n) is the same as n
        return int(rng.integers(self.min_shots, self.max_shots + 1))

    def _choose(self, shuffled: InstanceIds, num_shots: int) -> list[int]:
        """The first S instances, and the first Q of the others that may be queries."""
        supports, others = shuffled[:num_shots], shuffled[num_shots:]
        if self.distinct_images:
            images = {img_id for _, img_id in supports}
            others = [ids for ids in others if ids[1] not in images]
        return [ann_id for ann_id, _ in [*supports, *others[: self.num_queries]]]

    def _make_episode(
        self,
        category_id: int,
        chosen: list[int],
        num_shots: int,
        seed: int,
        index: int,
        source: int = 0,
    ) -> Episode:
        if self.same_instance:
            ann_id, _ = self.pools_by_source[source][category_id][0]
            sizes = num_shots, self.num_queries
            return repeat_instance(category_id, ann_id, *sizes, seed, index, source)
        supports, queries = tuple(chosen[:num_shots]), tuple(chosen[num_shots:])
        return Episode(category_id, supports, queries, seed, index, source)

    def __iter__(self) -> Iterator[Episode]:
        if self.mode == 'eval':
            yield from self.episodes[self.rank :: self.world_size]
        else:
            for i in range(len(self)):
                yield self._draw_training(self.rank + i * self.world_size)

    def __len__(self) -> int:
        """Episodes of this rank. In training all ranks have equally many."""
        if self.mode == 'eval':
            return len(self.episodes[self.rank :: self.world_size])
        return -(-self.episodes_per_epoch // self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the training epoch whose episodes the next iteration yields."""
        self.epoch = epoch
