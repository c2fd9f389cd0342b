"""Episodes as the model sees them, drawn to files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..apis.config_checks import check_loader, explain_build_errors
from ..apis.config_loading import load_config
from ..apis.config_options import LOADERS, suggest
from ..datasets import EpisodeSampler, FixedEpisodeSampler
from ..datasets.categories import Category
from ..datasets.multi_source_dataset import sources_of
from ..errors import ConfigError, MissingDataError
from ..structures import Episode
from ..utils.atomic_write import try_folder
from ..utils.value_checks import check_at_least
from ..visualization import contact_sheets, draw_episode
from ..visualization.contact_sheet import write_png


@dataclass(frozen=True)
class Browsed:
    """What :func:`browse_episodes` drew.

    Attributes:
        sheets: contact sheets, files.
        pictures: one file per episode.
        dropped: one line per episode of which nothing could be loaded.
    """

    sheets: tuple[Path, ...]
    pictures: tuple[Path, ...]
    dropped: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f'not drawn: {line}' for line in self.dropped]
        folder = self.sheets[0].parent
        lines.append(f'{len(self.pictures)} episodes, a file each, in {folder}')
        return '\n'.join([*lines, *(f'contact sheet: {path}' for path in self.sheets)])


def browse_episodes(
    config: str | Path,
    out: str | Path,
    split: str = 'train',
    num: int = 12,
    category: Sequence[str] = (),
    cfg_options: Mapping | None = None,
) -> Browsed:
    """Load episodes through a config's own data loader and draw them.

    Training episodes are the first of the first epoch, augmented. Evaluation episodes
    are those of the fixed draw: the first of every category, then the second, ...

    Args:
        config: config file.
        out: folder for the pictures.
        split: 'train', 'val' or 'test'.
        num: number of episodes.
        category: ids or names to restrict the episodes to; a name may mean several.
        cfg_options: overrides.

    Raises:
        ConfigError: an argument, a category or the folder is impossible.
        MissingDataError: the split's data is not there, or nothing of it loads.
    """
    check_at_least('num', num, 1)
    cfg = load_config(config, cfg_options)
    check_split(cfg, split)
    folder = try_folder(out)
    scope = cfg.get('default_scope', 'mmpose')
    with DefaultScope.overwrite_default_scope(scope), explain_build_errors(cfg):
        loader = build_loader(cfg, split)
    sources = [source.dataset for source in sources_of(loader.dataset)]
    chosen = find_categories([source.categories for source in sources], category)
    episodes = choose_episodes(loader.sampler, num, chosen)
    rows, dropped = draw_episodes(loader, episodes)
    if not rows:
        raise MissingDataError(
            f'split {split}: nothing could be loaded. {"; ".join(dropped[:3])}'
        )
    sheets = tuple(
        write_png(folder / f'{split}_sheet_{number:02d}.png', sheet)
        for number, sheet in enumerate(contact_sheets(list(rows.values())), start=1)
    )
    pictures = tuple(
        write_png(folder / f'{split}_episode_{name}.png', row)
        for name, row in rows.items()
    )
    return Browsed(sheets, pictures, dropped)


def check_split(cfg: Config, split: str) -> None:
    """Refuse a split that the config or the disk does not have."""
    name = f'{split}_dataloader'
    if split not in LOADERS or cfg.get(name) is None:
        there = [s for s in LOADERS if cfg.get(f'{s}_dataloader') is not None]
        raise ConfigError(
            f'split {split}: {cfg.filename} has no {name}; it has data for '
            f'{", ".join(there) or "no split"}'
        )
    check_loader(cfg, name)


def build_loader(cfg: Config, split: str) -> DataLoader:
    """The config's data loader, in this process."""
    settings = cfg[f'{split}_dataloader'].copy()
    settings.update(num_workers=0, persistent_workers=False, pin_memory=False)
    seed = (cfg.get('randomness') or {}).get('seed') or 0
    return Runner.build_dataloader(settings, seed=seed)


def find_categories(
    sources: Sequence[Mapping[int, Category]], wanted: Sequence[str]
) -> list[list[int]]:
    """Ids of the categories with these ids or names, all of them if none is named.

    Args:
        sources: the categories by id of every data source.
        wanted: ids or names; they may mean categories of several sources.

    Returns:
        Category ids of every source.

    Raises:
        ConfigError: there is no such category.
    """
    words = [str(word) for word in wanted]
    known = [(str(i), cat.name) for source in sources for i, cat in source.items()]
    for word in words:
        if not any(word in pair for pair in known):
            listed = ', '.join(' '.join(pair) for pair in known)
            raise ConfigError(
                f'category {word}: no such category in this split'
                f'{suggest(word, {text for pair in known for text in pair})}. It has: '
                f'{listed}.'
            )
    return [
        [
            i
            for i, category in source.items()
            if not words or str(i) in words or category.name in words
        ]
        for source in sources
    ]


def choose_episodes(
    sampler: EpisodeSampler | FixedEpisodeSampler,
    num: int,
    category_ids: Sequence[Sequence[int]],
) -> list[Episode]:
    """Up to ``num`` episodes of these categories, fewer if the split has no more.

    Raises:
        ConfigError: none of the categories has an episode.
    """
    is_random = isinstance(sampler, EpisodeSampler)
    by_category: dict[int, list[Episode]] = {key: [] for key in category_ids[0]}
    for episode in () if is_random else sampler:
        if episode.category_id in by_category:
            by_category[episode.category_id].append(episode)
    drawable = any(by_category.values())
    if is_random:
        pairs = zip(sampler.pools_by_source, category_ids)
        drawable = any(not pools.keys().isdisjoint(ids) for pools, ids in pairs)
    if not drawable:
        raise ConfigError(
            f'no episode can be made of {sum(category_ids, [])}: too few '
            f'usable instances for the shots and queries of this config'
        )
    if is_random:
        sampler.restrict(category_ids)
        return list(itertools.islice(_epochs(sampler), num))
    rounds = itertools.zip_longest(*by_category.values())
    return [one for episodes in rounds for one in episodes if one is not None][:num]


def _epochs(sampler: EpisodeSampler) -> Iterator[Episode]:
    for epoch in itertools.count():
        sampler.set_epoch(epoch)
        yield from sampler


def draw_episodes(
    loader: DataLoader, episodes: Sequence[Episode]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Load and draw episodes.

    Returns:
        Pictures by name, and one line for every episode of which nothing could be
        loaded.
    """
    rows, dropped = {}, []
    batches = DataLoader(
        loader.dataset, batch_size=1, sampler=episodes, collate_fn=loader.collate_fn
    )
    for batch in batches:
        sample = batch['data_samples'][0]
        name = f'{sample.episode_index:05d}_category{sample.category_id}'
        if not len(sample.query_slots):
            reasons = {pair['reason'] for pair in sample.dropped_pairs}
            dropped.append(f'episode {name}: {", ".join(sorted(reasons))}')
            continue
        images = [batch['inputs'][side][0] for side in ('support', 'query')]
        if name in rows:  # of another epoch
            name = f'{name}_{len(rows)}'
        rows[name] = draw_episode(*images, sample)
    return rows, tuple(dropped)
