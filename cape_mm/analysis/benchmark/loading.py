"""The data loader beside a plain loop over the same pictures, and the index's speed."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS
from torch.utils.data import DataLoader

from ...apis.config_checks import check_dataloader
from ...apis.config_loading import load_config
from ...datasets import MP100EpisodeDataset, collate_episodes
from ...errors import ConfigError
from ...structures import Episode
from .made_pictures import NUM_INDEXED, PlainCrops, write_index, write_pictures
from .settings import BenchmarkSettings, input_size_of
from .timing import alternate, ratio, summarise

PER_EPISODE = 2
"""Pictures of an episode: one support and one query."""
CPU = torch.device('cpu')


def measure_loading(
    config: str | Path, settings: BenchmarkSettings, cfg_options: Mapping | None
) -> dict:
    """Time the config's training data on made pictures, in turn with a plain loop.

    The plain loop reads the same files with ``cv2.imread`` and crops with
    ``cv2.warpAffine``, nothing else: no labels, no augmentation. Both sides run in a
    data loader of as many processes and hand over batches of as many pictures. The box
    is the whole picture, 1,000 pixels: the crop of 1,249 has 4.9 source pixels per
    pixel of a 256-pixel input.

    Returns:
        ``ours_ms`` and ``plain_ms`` per picture, ``plain_over_ours`` pair by pair,
        ``num_pictures`` of a turn, ``picture_bytes`` (mean), ``reductions`` (number of
        pictures decoded at 1/r), and ``index_s`` and
        ``index_cpu_s``, what it takes to read a file of ``num_indexed`` annotations and
        to look for its images.

    Raises:
        CapeError: what settings or config make impossible.
    """
    cfg = load_config(config, cfg_options)
    if cfg.get('train_dataloader') is None:
        raise ConfigError('--mode load: the config has no train_dataloader')
    check_dataloader(cfg.train_dataloader, 'train_dataloader')
    with (
        tempfile.TemporaryDirectory() as folder,
        DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')),
    ):
        paths = write_pictures(Path(folder), settings.num_pictures, settings.seed)
        dataset = build_dataset(cfg, folder)
        episodes = pair_up(len(paths))
        ours, plain = build_loaders(cfg, dataset, (episodes, paths), settings)
        works = {'plain': lambda: drain(plain), 'ours': lambda: drain(ours)}
        for work in works.values():  # starts the processes
            work()
        times, _ = alternate(works, settings.pairs, CPU)
        results = dict(
            num_workers=settings.num_workers,
            num_pictures=len(paths),
            picture_bytes=sum(path.stat().st_size for path in paths) // len(paths),
            reductions=count_reductions(dataset, episodes),
        )
        results |= time_index(Path(folder))
    per_picture = {
        name: [value / len(paths) for value in values] for name, values in times.items()
    }
    return results | dict(
        plain_ms=summarise(per_picture['plain']),
        ours_ms=summarise(per_picture['ours']),
        plain_over_ours=ratio(per_picture['plain'], per_picture['ours']),
    )


def build_dataset(cfg: Config, folder: str) -> MP100EpisodeDataset:
    """The made pictures, through the config's training pipeline."""
    return DATASETS.build(
        dict(
            type='MP100EpisodeDataset',
            ann_file='pictures.json',
            data_root=folder,
            pipeline=cfg.train_dataloader.dataset.pipeline,
        )
    )


def build_loaders(
    cfg: Config,
    dataset: MP100EpisodeDataset,
    pictures: tuple[Sequence[Episode], Sequence[Path]],
    settings: BenchmarkSettings,
) -> tuple[DataLoader, DataLoader]:
    """Loaders of episodes and of plain crops, alike in all but their data."""
    episodes, paths = pictures
    batch_size = settings.batch_size or cfg.train_dataloader.get('batch_size', 1)
    common = dict(
        num_workers=settings.num_workers,
        persistent_workers=settings.num_workers > 0,
        worker_init_fn=_use_one_thread,
    )
    ours = DataLoader(
        dataset, batch_size, sampler=episodes, collate_fn=collate_episodes, **common
    )
    crops = PlainCrops(paths, input_size_of(cfg.train_dataloader))
    plain = DataLoader(crops, batch_size * PER_EPISODE, **common)
    return ours, plain


def pair_up(num_pictures: int) -> list[Episode]:
    """Episodes that show every picture once."""
    return [
        Episode(0, (i,), (i + 1,), seed=i, index=i) for i in range(0, num_pictures, 2)
    ]


def drain(loader: DataLoader) -> None:
    """Take all batches of an epoch."""
    for _ in loader:
        pass


def count_reductions(
    dataset: MP100EpisodeDataset, episodes: Sequence[Episode]
) -> dict[int, int]:
    """How many pictures of the episodes are decoded at which reduction."""
    counts: Counter[int] = Counter()

    def note(results: dict) -> dict:
        counts[results.get('img_reduction', 1)] += 1
        return results

    transforms = dataset.pipeline.transforms
    transforms.insert(-1, note)  # PackInstance forgets it
    for episode in episodes:
        dataset[episode]
    transforms.remove(note)
    return dict(sorted(counts.items()))


def time_index(folder: Path) -> dict:
    """Seconds to read, filter and index a large annotation file."""
    path = write_index(folder)
    start, cpu_start = time.perf_counter(), time.process_time()
    MP100EpisodeDataset(path.name, data_root=str(folder), data_prefix=dict(img='many'))
    return dict(
        num_indexed=NUM_INDEXED,
        index_s=time.perf_counter() - start,
        index_cpu_s=time.process_time() - cpu_start,
    )


def format_loading(record: Mapping) -> Iterator[str]:
    """Lines of the table."""
    scales = ', '.join(f'{n} at 1/{r}' for r, n in record['reductions'].items())
    yield (
        f'{record["num_pictures"]} pictures of {record["picture_bytes"] / 1000:.0f} kB '
        f'per turn, {record["num_workers"]} processes; decoded: {scales}'
    )
    for name, label in (('plain', 'imread + warpAffine'), ('ours', 'data loader')):
        times = record[f'{name}_ms']
        yield (
            f'{label:20}{times["median"]:8.2f} ms per picture '
            f'({times["q1"]:.2f} - {times["q3"]:.2f})'
        )
    quotient = record['plain_over_ours']
    yield (
        f'plain over ours: {quotient["median"]:.2f} ({quotient["q1"]:.2f} - '
        f'{quotient["q3"]:.2f})'
    )
    yield (
        f'index of {record["num_indexed"]:,} annotations: {record["index_s"]:.2f} s, '
        f'of the CPU {record["index_cpu_s"]:.2f} s'
    )


def _use_one_thread(worker_id: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
