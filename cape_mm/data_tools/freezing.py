"""Evaluation draws of a config, or of an annotation file, written as JSON files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmpose.registry import DATASETS

from ..apis.config_checks import explain_build_errors
from ..apis.config_loading import load_config
from ..datasets import FixedEpisodeSampler, MP100EpisodeDataset
from ..datasets.frozen_episodes import (
    OFFICIAL_EPISODES,
    OFFICIAL_QUERIES,
    OFFICIAL_SEED,
    FrozenEpisodes,
    describe_protocol,
    episodes_sha256,
    files_sha256,
)
from ..errors import ConfigError
from ..utils.atomic_write import write_text_atomically

DEFAULT_FOLDER = 'work_dirs/episodes'
OFFICIAL_SHOTS = (1, 5)


Draw = tuple[MP100EpisodeDataset, dict[str, Any]]
"""A data set without images, and the sampler's arguments without ``num_shots``."""


def freeze_episodes(
    config: str | Path | None = None,
    ann_file: str | Path | None = None,
    num_shots: Sequence[int] = OFFICIAL_SHOTS,
    out: str | Path = DEFAULT_FOLDER,
    cfg_options: Mapping | None = None,
) -> dict[Path, FrozenEpisodes]:
    """Write the evaluation draws of a config or an annotation file; no image needed.

    Args:
        config: config whose validation and test loaders name annotation file and draw.
        ann_file: annotation file, for its official draw; instead of a config.
        num_shots: supports per episode; each number gives a file of its own.
        out: a folder.
        cfg_options: overrides of the config.

    Returns:
        What was written, by path. Files that are there already are left alone.

    Raises:
        ConfigError: arguments that do not go together, a different file in the way, or
            a place that can not be written.
        CapeError: what the config or the data makes impossible.
    """
    if (config is None) == (ann_file is None):
        raise ConfigError('name a config or an ann_file, one of the two')
    if config is None:
        draws = [_official_draw(ann_file)]
    else:
        cfg = load_config(config, cfg_options)
        names = [f'{name}_dataloader' for name in ('val', 'test')]
        draws = [_draw_of_loader(cfg[n], n) for n in names if cfg.get(n) is not None]
    files = _make_draws(draws, num_shots, Path(out))
    _write_all(files)
    return files


def describe_files(files: Mapping[Path, FrozenEpisodes]) -> str:
    """Three lines per file: where it is, how it was drawn, what it holds."""
    lines = []
    for path, frozen in files.items():
        episodes = frozen.episodes
        num_pairs = sum(len(episode.query_ids) for episode in episodes)
        num_categories = len({episode.category_id for episode in episodes})
        lines += [
            str(path),
            f'  {frozen.protocol}, {frozen.num_shots}-shot',
            f'  {num_categories} categories, {len(episodes):,} episodes, '
            f'{num_pairs:,} pairs, sha256 {episodes_sha256(episodes)}',
        ]
    return '\n'.join(lines)


def _official_draw(ann_file: str | Path) -> Draw:
    kinds = [kind for kind in OFFICIAL_EPISODES if kind in Path(ann_file).stem]
    if len(kinds) != 1:
        raise ConfigError(
            f'{ann_file} does not say by its name whether it is a test file (200 '
            f'episodes per category) or a val file (100): rename it, or use a config'
        )
    dataset = MP100EpisodeDataset(str(ann_file), test_mode=True, check_images=False)
    return dataset, dict(
        episodes_per_category=OFFICIAL_EPISODES[kinds[0]],
        num_queries=OFFICIAL_QUERIES,
        distinct_images=False,
        draw_seed=OFFICIAL_SEED,
    )


def _draw_of_loader(loader: Mapping, name: str) -> Draw:
    sampler = dict(loader.get('sampler') or {})
    if sampler.get('episodes_file') is not None:
        raise ConfigError(
            f'{name}.sampler replays {sampler["episodes_file"]}: its episodes are '
            f'frozen already'
        )
    if sampler.get('type') != 'FixedEpisodeSampler':
        raise ConfigError(f'{name}.sampler is no FixedEpisodeSampler')
    dataset_cfg = dict(
        loader['dataset'], pipeline=[], test_mode=True, check_images=False
    )
    dataset_cfg.pop('template_file', None)  # says nothing about the draw
    with explain_build_errors({name: dict(loader, dataset=dataset_cfg)}):
        dataset = DATASETS.build(dataset_cfg)
    return dataset, dict(
        episodes_per_category=sampler.get('episodes_per_category'),
        num_queries=sampler.get('num_queries') or 1,
        distinct_images=sampler.get('distinct_images', True),
        draw_seed=sampler.get('draw_seed', OFFICIAL_SEED),
    )


def _make_draws(
    draws: Sequence[Draw], num_shots: Sequence[int], out: Path
) -> dict[Path, FrozenEpisodes]:
    """Every draw with every number of shots, by the path of its file."""
    files: dict[Path, FrozenEpisodes] = {}
    for dataset, settings in draws:
        stem = '+'.join(Path(path).stem for path in dataset.ann_files)
        for shots in dict.fromkeys(num_shots):
            sampler = FixedEpisodeSampler(dataset, num_shots=shots, **settings)
            frozen = FrozenEpisodes(
                protocol=describe_protocol(**settings),
                num_shots=shots,
                ann_file_sha256=files_sha256(dataset.ann_files),
                episodes=tuple(sampler.episodes),
            )
            path = out / f'{stem}_{shots}shot.json'
            if files.setdefault(path, frozen) != frozen:
                raise ConfigError(
                    f'{path} would be written twice, with different draws of the same '
                    f'annotation file: take one of them out of the config'
                )
    return files


def _write_all(files: Mapping[Path, FrozenEpisodes]) -> None:
    """Write what is not there yet; nothing at all if something is in the way."""
    texts = {path: frozen.to_text() for path, frozen in files.items()}
    try:
        missing = {p: t for p, t in texts.items() if not _is_there(p, t)}
        for path, text in missing.items():
            write_text_atomically(path, text)
    except OSError as error:
        raise ConfigError(f'out: {error}') from error


def _is_there(path: Path, text: str) -> bool:
    if not path.exists():
        return False
    if path.read_bytes() != text.encode('utf-8'):
        raise ConfigError(
            f'{path} exists and holds other episodes: results on them can not be '
            f'compared with results on the new ones. Remove it, or name another folder.'
        )
    return True
