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
    subset: str | None = None,
    num_shots: Sequence[int] = OFFICIAL_SHOTS,
    episodes_per_category: int | None = None,
    num_queries: int | None = None,
    out: str | Path = DEFAULT_FOLDER,
    force: bool = False,
    cfg_options: Mapping | None = None,
) -> dict[Path, FrozenEpisodes]:
    """Write the evaluation draws of a config or an annotation file; no image needed.

    Args:
        config: config whose evaluation loaders name annotation file and draw; None for
            the official draw of ``ann_file``.
        ann_file: annotation file; takes the place of the config's.
        subset: ``'val'`` or ``'test'``: the config's loader; None for both, or with
            ``ann_file`` for the test loader.
        num_shots: supports per episode; each number gives a file of its own.
        episodes_per_category: takes the place of the config's; without a config the
            default is the official one of a file named val or test.
        num_queries: takes the place of the config's; official is 15.
        out: a folder, or, of a single draw, a file that ends in ``.json``.
        force: replace files that differ.
        cfg_options: overrides of the config.

    Returns:
        What was written, by path. Files that are there already are left alone.

    Raises:
        ConfigError: arguments that do not go together, a different file in the way, or
            a place that can not be written.
        CapeError: what the config or the data makes impossible.
    """
    if config is None:
        if subset is not None or cfg_options:
            raise ConfigError('--subset and --cfg-options change a config: name one')
        draws = [_official_draw(ann_file, episodes_per_category)]
    else:
        cfg = load_config(config, cfg_options)
        names = _loaders_of(cfg, subset or ('test' if ann_file is not None else None))
        draws = [_draw_of_loader(cfg[name], name, ann_file) for name in names]
    changes = dict(episodes_per_category=episodes_per_category, num_queries=num_queries)
    changes = {key: value for key, value in changes.items() if value is not None}
    draws = [(dataset, settings | changes) for dataset, settings in draws]
    files = _make_draws(draws, num_shots, Path(out))
    _write_all(files, force)
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


def _official_draw(
    ann_file: str | Path | None, episodes_per_category: int | None
) -> Draw:
    if ann_file is None:
        raise ConfigError('nothing to freeze: name a config or --ann-file')
    kinds = [kind for kind in OFFICIAL_EPISODES if kind in Path(ann_file).stem]
    if episodes_per_category is None and len(kinds) != 1:
        raise ConfigError(
            f'{ann_file} does not say by its name whether it is a test file (200 '
            f'episodes per category) or a val file (100): name '
            f'--episodes-per-category'
        )
    if episodes_per_category is None:
        episodes_per_category = OFFICIAL_EPISODES[kinds[0]]
    dataset = MP100EpisodeDataset(str(ann_file), test_mode=True, check_images=False)
    return dataset, dict(
        episodes_per_category=episodes_per_category,
        num_queries=OFFICIAL_QUERIES,
        distinct_images=False,
        draw_seed=OFFICIAL_SEED,
    )


def _loaders_of(cfg: Mapping, subset: str | None) -> list[str]:
    wanted = ('val', 'test') if subset is None else (subset,)
    names = [f'{name}_dataloader' for name in wanted]
    found = [name for name in names if cfg.get(name) is not None]
    if not found:
        raise ConfigError(f'the config has no {" and no ".join(names)}')
    return found


def _draw_of_loader(loader: Mapping, name: str, ann_file: str | Path | None) -> Draw:
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
    if ann_file is not None:
        dataset_cfg.update(ann_file=str(ann_file), data_root='')
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
    is_file = out.suffix == '.json'
    num_shots = list(dict.fromkeys(num_shots))
    if is_file and len(draws) * len(num_shots) > 1:
        raise ConfigError(
            f'--out {out} is one file, but {len(draws) * len(num_shots)} draws are to '
            f'be written: name a folder, or one of --num-shots and one --subset'
        )
    files: dict[Path, FrozenEpisodes] = {}
    for dataset, settings in draws:
        stem = '+'.join(Path(path).stem for path in dataset.ann_files)
        for shots in num_shots:
            sampler = FixedEpisodeSampler(dataset, num_shots=shots, **settings)
            frozen = FrozenEpisodes(
                protocol=describe_protocol(**settings),
                num_shots=shots,
                ann_file_sha256=files_sha256(dataset.ann_files),
                episodes=tuple(sampler.episodes),
            )
            path = out if is_file else out / f'{stem}_{shots}shot.json'
            if files.setdefault(path, frozen) != frozen:
                raise ConfigError(
                    f'{path} would be written twice, with different draws of the same '
                    f'annotation file: write them one by one with --subset and --out'
                )
    return files


def _write_all(files: Mapping[Path, FrozenEpisodes], force: bool) -> None:
    """Write what is not there yet; nothing at all if something is in the way."""
    texts = {path: frozen.to_text() for path, frozen in files.items()}
    try:
        missing = {p: t for p, t in texts.items() if not _is_there(p, t, force)}
        for path, text in missing.items():
            write_text_atomically(path, text)
    except OSError as error:
        raise ConfigError(f'--out: {error}') from error


def _is_there(path: Path, text: str, force: bool) -> bool:
    if not path.exists():
        return False
    if path.read_bytes() == text.encode('utf-8'):
        return True
    if not force:
        raise ConfigError(
            f'{path} exists and holds other episodes; --force replaces it. Results on '
            f'the old ones can not be compared with results on the new ones.'
        )
    return False
