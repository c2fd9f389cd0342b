"""The validation's twin on training categories, to see over-fitting to them."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence

import torch
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner, autocast
from torch.utils.data import DataLoader, Sampler

from ...datasets import EpisodeSampler, MP100EpisodeDataset
from ...datasets.evaluation_plan import announce_plan
from ...errors import ConfigError
from ...evaluation import EpisodePCK
from ...structures import Episode
from .episode_loop import EpisodeLoopMixin
from .suitability import why_plain

CATEGORY_ORDER_SEED = 0


class _EpisodeByEpisode(BaseLoop):
    """Evaluates a loader as it is, without calling a hook."""

    def __init__(
        self, runner: Runner, dataloader: DataLoader, evaluator: Evaluator, fp16: bool
    ) -> None:
        super().__init__(runner, dataloader)
        self.evaluator = evaluator
        self.fp16 = fp16
        evaluator.dataset_meta = dataloader.dataset.metainfo

    @torch.no_grad()
    def run(self) -> dict:
        for batch in self.dataloader:
            with autocast(enabled=self.fp16):
                outputs = self.runner.model.val_step(batch)
            self.evaluator.process(data_samples=outputs, data_batch=batch)
        return self.evaluator.evaluate(len(self.dataloader.dataset))


class TrainSideLoop(EpisodeLoopMixin, _EpisodeByEpisode):
    """Evaluates fixed episodes of the training categories, without augmentation.

    No hook is called and no random number is taken from the training. Make it with
    :func:`train_side_loop`.
    """

    stage = 'train side'

    def run(self) -> dict:
        """Evaluate; returns the metrics."""
        model = self.runner.model
        model.eval()
        bare = model.module if is_model_wrapper(model) else model
        with torch.random.fork_rng(devices=[]):  # loaders draw a seed for workers
            if why_plain(bare, self.dataloader) is not None:
                return _EpisodeByEpisode.run(self)
            self._run_episodes(bare)
            return self.evaluator.evaluate(len(self.dataloader.dataset))

    def _call_hooks(self, when: str, **arguments) -> None:
        """No hook knows of this loop."""


def train_side_loop(runner: Runner, num_episodes: int | None = None) -> TrainSideLoop:
    """The loop for a runner's training categories.

    The images are those of the training set, the pipeline, shots, queries and settings
    of the evaluation those of the validation.

    Args:
        runner: trains and validates on :class:`MP100EpisodeDataset`.
        num_episodes: as many episodes, spread over the categories; None takes the
            validation's number.

    Raises:
        ConfigError: the runner's data are of another kind.
    """
    given, settings = runner.val_dataloader, runner.val_loop
    trained = runner.train_dataloader
    dataset = _as_evaluated(trained.dataset, given.dataset)
    asked = getattr(given.sampler, 'episodes', None)
    if asked is None:
        raise ConfigError(_refusal('the validation has no fixed list of episodes'))
    num_episodes = num_episodes or len(asked)
    sampler = _draw(dataset, given.sampler, trained.sampler, num_episodes)
    loader = DataLoader(
        dataset,
        batch_size=given.batch_size,
        sampler=sampler,
        num_workers=given.num_workers,
        collate_fn=given.collate_fn,
        pin_memory=given.pin_memory,
        timeout=given.timeout,
    )
    loop = TrainSideLoop(runner, loader, Evaluator(EpisodePCK(num_resamples=0)))
    loop.fp16 = settings.fp16
    if isinstance(settings, EpisodeLoopMixin):
        loop.sizes, loop.limits = settings.sizes, settings.limits
    return loop


def spread_episodes(episodes: Sequence[Episode], num_episodes: int) -> list[Episode]:
    """At most so many of the episodes, taken from the categories by turns.

    Args:
        episodes: equally many of every category.
        num_episodes: how many; where the last turn is not complete, chance (of a fixed
            seed) chooses its categories.

    Returns:
        The chosen ones, in their order.
    """
    category_ids = list(dict.fromkeys(episode.category_id for episode in episodes))
    random.Random(CATEGORY_ORDER_SEED).shuffle(category_ids)
    place = {category_id: i for i, category_id in enumerate(category_ids)}
    seen = dict.fromkeys(category_ids, 0)
    turns: list[tuple[int, int, int]] = []
    for number, episode in enumerate(episodes):
        turns.append((seen[episode.category_id], place[episode.category_id], number))
        seen[episode.category_id] += 1
    chosen = sorted(number for _, _, number in sorted(turns)[:num_episodes])
    return [episodes[number] for number in chosen]


def _as_evaluated(
    train: MP100EpisodeDataset, evaluated: MP100EpisodeDataset
) -> MP100EpisodeDataset:
    """The training set, seen as the validation sees its own; nothing is read again."""
    for dataset in (train, evaluated):
        if not isinstance(dataset, MP100EpisodeDataset):
            raise ConfigError(_refusal(f'a data set is a {type(dataset).__name__}'))
    view = copy.copy(train)
    view.pipeline, view.test_mode = evaluated.pipeline, True
    view._metainfo = copy.deepcopy(train._metainfo)
    return view


def _draw(
    dataset: MP100EpisodeDataset,
    like: EpisodeSampler,
    trained: Sampler,
    num_episodes: int,
) -> EpisodeSampler:
    # the training's debugging options leave a part of its data out, so here too
    max_categories = getattr(trained, 'max_categories', None)
    num_categories = sum(map(bool, dataset.instances_by_category.values()))
    if max_categories is not None:
        num_categories = min(num_categories, max_categories)
    sampler = EpisodeSampler(
        dataset,
        num_shots=like.num_shots,
        num_queries=like.num_queries,
        mode='eval',
        episodes_per_category=-(-num_episodes // max(num_categories, 1)),
        distinct_images=like.distinct_images,
        skip_small_categories=True,
        same_instance=getattr(trained, 'same_instance', False),
        max_categories=max_categories,
    )
    sampler.episodes = spread_episodes(sampler.episodes, num_episodes)
    announce_plan(dataset, {})  # a part of the categories is meant, not a gap
    return sampler


def _refusal(reason: str) -> str:
    return (
        f'the train-side validation needs MP100EpisodeDataset for training and '
        f'validation, and EpisodeSampler(mode="eval"), but {reason}. Switch it off: '
        f'default_hooks.validation_summary.train_side_interval=0'
    )
