"""Evaluation episodes as a list that is stored, told apart by a hash, and replayed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..structures import Episode

OFFICIAL_SEED = 1
"""Seed of the official evaluation draw."""

OFFICIAL_QUERIES = 15
OFFICIAL_EPISODES = dict(test=200, val=100)
"""Episodes per category of the official evaluation draw, by kind of annotation file."""


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
    text = json.dumps([_ids_of(episode) for episode in episodes], separators=(',', ':'))
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


def _ids_of(episode: Episode) -> list:
    return [
        int(episode.category_id),
        [int(ann_id) for ann_id in episode.support_ids],
        [int(ann_id) for ann_id in episode.query_ids],
    ]
