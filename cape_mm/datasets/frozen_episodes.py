"""Evaluation episodes as a list that is stored, told apart by a hash, and replayed.

An edited or foreign file is refused, never half used.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AnnotationFormatError, ConfigError, MissingDataError
from ..structures import Episode
from ..utils.json_file import read_json

if TYPE_CHECKING:
    from .mp100_dataset import MP100EpisodeDataset

OFFICIAL_SEED = 1
"""Seed of the official evaluation draw."""

OFFICIAL_QUERIES = 15
OFFICIAL_EPISODES = dict(test=200, val=100)
"""Episodes per category of the official evaluation draw, by kind of annotation file."""
KEYS = ('protocol', 'num_shots', 'ann_file_sha256', 'episodes_sha256', 'episodes')
REMEDY = 'Write the file afresh with tools/dataset_tools/freeze_episodes.py.'


@dataclass(frozen=True)
class FrozenEpisodes:
    """An evaluation draw together with the annotation file that its ids belong to.

    Attributes:
        protocol: how the episodes were drawn, for people to read.
        num_shots: supports of every episode, S.
        ann_file_sha256: SHA-256 of the annotation file's bytes, see
            :func:`files_sha256`.
        episodes: the episodes of all ranks, in the order of evaluation.
    """

    protocol: str
    num_shots: int
    ann_file_sha256: str
    episodes: tuple[Episode, ...]

    def settings(self) -> dict[str, int | None]:
        """Sampler arguments of such a draw; None where categories differ.

        Returns:
            ``num_shots``, ``num_queries`` and ``episodes_per_category``, in this order.
        """
        counts = {*Counter(episode.category_id for episode in self.episodes).values()}
        return dict(
            num_shots=self.num_shots,
            num_queries=len(self.episodes[0].query_ids),
            episodes_per_category=counts.pop() if len(counts) == 1 else None,
        )

    def to_text(self) -> str:
        """The JSON file's content, one episode per line; the same for equal draws."""
        head = dict(
            protocol=self.protocol,
            num_shots=self.num_shots,
            ann_file_sha256=self.ann_file_sha256,
            episodes_sha256=episodes_sha256(self.episodes),
        )
        records = [
            dict(category_id=category_id, support=list(supports), queries=list(queries))
            for category_id, supports, queries in map(_ids_of, self.episodes)
        ]
        lines = ',\n    '.join(json.dumps(record) for record in records)
        opened = json.dumps(head, indent=2, ensure_ascii=False)[: -len('\n}')]
        return f'{opened},\n  "episodes": [\n    {lines}\n  ]\n}}\n'


def describe_protocol(
    draw_seed: int, episodes_per_category: int, num_queries: int, distinct_images: bool
) -> str:
    """Name an evaluation draw in words.

    It is called official with the official seed, 15 queries on any other instance, and
    200 or 100 episodes per category.

    Args:
        draw_seed: seed of the draw.
        episodes_per_category: episodes of every category.
        num_queries: queries per episode, Q.
        distinct_images: queries are on other images than the supports.
    """
    is_official = (
        draw_seed == OFFICIAL_SEED
        and episodes_per_category in OFFICIAL_EPISODES.values()
        and num_queries == OFFICIAL_QUERIES
        and not distinct_images
    )
    text = (
        f'{"official MP-100 draw" if is_official else "own draw"}: random.seed'
        f'({draw_seed}), {episodes_per_category} episodes x {num_queries} queries per '
        f'category'
    )
    return f'{text}, queries on other images than supports' if distinct_images else text


def files_sha256(paths: Iterable[str | Path]) -> str:
    """SHA-256 of files' bytes in a row, as ``cat PATHS | sha256sum`` prints it."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def episodes_sha256(episodes: Iterable[Episode]) -> str:
    """SHA-256 of the ids that a list of episodes consists of.

    The hash is that of the UTF-8 JSON text
    ``[[category_id,[support_id,...],[query_id,...]],...]`` without white space. The
    order of episodes, supports and queries counts; seed and index of an episode do not.

    Args:
        episodes: the episodes of all ranks, in the order of evaluation.

    Returns:
        64 hexadecimal digits, the same in every process and on every machine.
    """
    return _sha256_of([_ids_of(episode) for episode in episodes])


def _sha256_of(ids: list) -> str:
    text = json.dumps(ids, separators=(',', ':'))
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


def _ids_of(episode: Episode) -> list:
    return [
        int(episode.category_id),
        [int(ann_id) for ann_id in episode.support_ids],
        [int(ann_id) for ann_id in episode.query_ids],
    ]


def read_frozen_episodes(path: str | Path) -> FrozenEpisodes:
    """Read a file of ``tools/dataset_tools/freeze_episodes.py``.

    Args:
        path: the JSON file.

    Returns:
        Its content; ``seed`` and ``index`` of an episode are its place in the list, as
        where it was drawn.

    Raises:
        MissingDataError: the file does not exist or can not be read.
        AnnotationFormatError: it is no such file, an entry is malformed, or the
            episodes are not those that its hash was made of.
    """
    if not Path(path).is_file():
        raise MissingDataError(
            f'episodes_file not found: {path} (looked from {Path.cwd()}). '
            f'tools/dataset_tools/freeze_episodes.py writes such files.'
        )
    content = read_json(path, 'a file of frozen episodes', REMEDY)
    missing = [key for key in KEYS if key not in content]
    if missing:
        found = ', '.join(sorted(content)[:10])
        raise AnnotationFormatError(
            f'{path} is not a file of frozen episodes: it has no {", ".join(missing)}, '
            f'but {found or "nothing"}. {REMEDY}'
        )
    try:
        ids = [
            [record[key] for key in ('category_id', 'support', 'queries')]
            for record in content['episodes']
        ]
        found = _sha256_of(ids)
        if found != content['episodes_sha256']:
            raise ValueError(
                f'the episodes were changed after they were frozen: their hash is '
                f'{found}, but "episodes_sha256" says {content["episodes_sha256"]}'
            )
        episodes = _make_episodes(ids, content['num_shots'])
    except (KeyError, TypeError, ValueError) as error:
        raise AnnotationFormatError(
            f'{path}: malformed ({type(error).__name__}): {error}. {REMEDY}'
        ) from error
    return FrozenEpisodes(
        content['protocol'], content['num_shots'], content['ann_file_sha256'], episodes
    )


def _make_episodes(ids: list[list], num_shots: int) -> tuple[Episode, ...]:
    sizes = {(len(supports), len(queries)) for _, supports, queries in ids}
    if len(sizes) != 1 or sizes.pop()[0] != num_shots:
        raise ValueError(
            f'all episodes should have {num_shots!r} supports and equally many queries'
        )
    return tuple(
        Episode(category_id, tuple(supports), tuple(queries), seed=place, index=place)
        for place, (category_id, supports, queries) in enumerate(ids)
    )


def check_frozen_episodes(
    frozen: FrozenEpisodes, dataset: MP100EpisodeDataset, path: str | Path
) -> None:
    """Check that stored episodes belong to a data set.

    Args:
        frozen: the stored episodes.
        dataset: the data set that is to load them.
        path: where the episodes are stored, for messages.

    Raises:
        ConfigError: they were drawn from another file, or name an annotation that is
            unknown, filtered out or of another category.
    """
    found = files_sha256(dataset.ann_files)
    if found != frozen.ann_file_sha256:
        raise ConfigError(
            f'{path} was frozen for another annotation file: it names the SHA-256 '
            f'{frozen.ann_file_sha256}, but that of {dataset.ann_file} is {found}. '
            f'Evaluate on the file that it was made for, or freeze the episodes of '
            f'this one.'
        )
    index = dataset.index
    for episode in frozen.episodes:
        for ann_id in episode.support_ids + episode.query_ids:
            if ann_id not in index:
                problem = f'is not among the {len(index):,} usable annotations of'
            elif index[ann_id].category_id != episode.category_id:
                problem = f'is of category {index[ann_id].category_id} in'
            else:
                continue
            raise ConfigError(
                f'{path}: episode {episode.index} of category {episode.category_id} '
                f'names annotation {ann_id}, which {problem} {dataset.ann_file}. '
                f'{REMEDY}'
            )
