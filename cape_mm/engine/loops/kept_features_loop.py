"""Training of a head on features that a frozen backbone gave once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import LOOPS
from torch.utils.data import DataLoader

from ...datasets.collate import collate_episodes
from ...datasets.episode_pools import EpisodeSize, InstanceIds
from ...datasets.episode_samplers import choose_instances
from ...datasets.instance_view import NO_IMAGE
from ...datasets.multi_source_dataset import sources_of
from ...errors import ConfigError, InstanceLoadError
from ...models.data_preprocessor import PREPARED_KEY
from ...models.estimators import ROLES
from ...structures import Episode
from .episode_eval_loop import cast_to, load_instances
from .episode_prediction import (
    EncodedInstances,
    encode_instances,
    in_batches,
    join_inputs,
)
from .episode_train_loop import EpisodeTrainLoop


@LOOPS.register_module()
class KeptFeaturesTrainLoop(EpisodeTrainLoop):
    """Trains a head alone; every instance passes the frozen backbone once.

    When a category is drawn first, its instances are encoded, as support and as query,
    and kept in half precision on the model's device. Every batch is put together from
    what was kept: episodes of one category with equally many supports. Accumulate some
    batches for an update of several categories. After the first epoch, one costs what
    the head costs, so it can be trained on a CPU.

    Convention:
        - the pipeline sees every instance once: what it draws stays the same
        - for an instance that can't be loaded another is drawn, with a warning

    Args:
        runner: the runner.
        dataloader: a loader with an :class:`EpisodeSampler`, or its config.
        max_epochs: epochs of training.
        max_instances: of a category, drawn by the sampler's seed.
        image_batch: instances per batch of the backbone.
        precision: of the backbone: 'float32', or autocast to 'bfloat16' or 'float16'.
        **kwargs: arguments of :class:`mmengine.runner.EpochBasedTrainLoop`.

    Raises:
        ConfigError: in ``run``, if more than the head learns, or with several
            processes.
        InstanceLoadError: in ``run``, if too few of a category can be loaded.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int,
        max_instances: int = 25,
        image_batch: int = 16,
        precision: str = 'float32',
        **kwargs,
    ) -> None:
        super().__init__(runner, dataloader, max_epochs, **kwargs)
        self.max_instances = max_instances
        self.image_batch = image_batch
        self.precision = precision
        self.encoded: dict[tuple[int, int], EncodedInstances] = {}

    def run(self):
        """Train; see :class:`EpisodeTrainLoop`."""
        check_head_only(self.runner.model)
        sampler = self.dataloader.sampler
        sampler.draw_in_runs(self.dataloader.batch_size)
        sampler.pools_by_source = [
            {
                key: draw_instances(
                    pool, self.max_instances, sampler.size, [sampler.seed, key]
                )
                for key, pool in pools.items()
            }
            for pools in sampler.pools_by_source
        ]
        return super().run()

    @torch.no_grad()
    def _encode(self, source: int, category_id: int) -> EncodedInstances:
        """Encode the instances of a category, all that its episodes are drawn from."""
        model, sampler = self.runner.model, self.dataloader.sampler
        dataset = sources_of(self.dataloader.dataset)[source].dataset
        pool = sampler.pools_by_source[source][category_id]
        plan = in_batches([ann_id for ann_id, _ in pool], ROLES, self.image_batch)
        loaded = load_instances(self.dataloader, dataset, [plan])
        device = next(model.parameters()).device
        was_training = model.training
        model.eval()
        with cast_to(self.precision, device):
            encoded = encode_instances(model, loaded, plan, torch.half, False)
        model.train(was_training)
        lost = encoded.known.reasons
        if lost:
            usable = [ids for ids in pool if ids[0] not in lost]
            name = dataset.categories[category_id].name
            told = f'of category {category_id} ({name}) could not be loaded'
            if not sampler.size.fits(usable):
                raise InstanceLoadError(f'too many instances {told}: {lost}')
            self.runner.logger.warning(
                f'{len(lost)} of {len(pool)} instances {told}: others are drawn'
            )
            sampler.pools_by_source[source][category_id] = usable
        return encoded

    @contextmanager
    def batches(self) -> Iterator[Iterator[dict]]:
        """What is left of the epoch, put together from what was kept."""
        rest = islice(self.dataloader.batch_sampler, self.first_batch, None)
        yield map(self._assemble, rest)

    def _assemble(self, episodes: Sequence[Episode]) -> dict:
        first = episodes[0]
        source = sources_of(self.dataloader.dataset)[first.source]
        key = first.source, first.category_id
        if key not in self.encoded:
            self.encoded[key] = self._encode(*key)
        encoded = self.encoded[key]
        episodes = [self._redraw(episode, encoded) for episode in episodes]
        samples = encoded.known.serve(source.dataset, episodes)
        none = dict(support=NO_IMAGE, query=NO_IMAGE)
        batch = collate_episodes([dict(inputs=none, data_samples=s) for s in samples])
        features = encoded.take(episodes, samples)
        inputs = join_inputs(batch['inputs']['graph'], features)
        prepared = dict(inputs=inputs, data_samples=batch['data_samples'])
        return batch | {PREPARED_KEY: prepared}

    def _redraw(self, episode: Episode, encoded: EncodedInstances) -> Episode:
        """The episode, of other instances where one could not be loaded."""
        if encoded.known.reasons.keys().isdisjoint(
            episode.support_ids + episode.query_ids
        ):
            return episode
        sampler = self.dataloader.sampler
        pool = sampler.pools_by_source[episode.source][episode.category_id]
        order = np.random.default_rng(episode.seed).permutation(len(pool))
        size = replace(sampler.size, num_shots=len(episode.support_ids))
        supports, queries = choose_instances([pool[n] for n in order], size)
        return replace(episode, support_ids=supports, query_ids=queries)


def draw_instances(
    pool: InstanceIds, number: int, size: EpisodeSize, seed: Sequence[int]
) -> InstanceIds:
    """Some instances of a pool: ``number``, or more where episodes need them.

    Args:
        pool: of a category.
        number: how many, at least.
        size: of the episodes, which the whole pool is enough for.
        seed: of the draw.
    """
    shuffled = [pool[n] for n in np.random.default_rng(seed).permutation(len(pool))]
    while number < len(pool) and not size.fits(shuffled[:number]):
        number += 1
    return shuffled[:number]


def check_head_only(model: torch.nn.Module) -> None:
    """Refuse what can't be trained on kept features.

    Raises:
        ConfigError: a part before the head learns, or there are several processes.
    """
    if is_model_wrapper(model) or get_world_size() > 1:
        raise ConfigError(
            'KeptFeaturesTrainLoop trains a small head in one process: start it on one '
            'GPU or on the CPU'
        )
    learning = sorted(
        {
            name.split('.')[0]
            for name, weight in model.named_parameters()
            if weight.requires_grad and not name.startswith('head.')
        }
    )
    if learning:
        raise ConfigError(
            f'KeptFeaturesTrainLoop trains the head alone, but {", ".join(learning)} '
            f"learns, too: freeze it, or set train_cfg.type='EpisodeTrainLoop'"
        )
