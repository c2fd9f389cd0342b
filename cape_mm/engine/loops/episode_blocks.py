"""Which episodes are evaluated together, and by which process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...structures import Episode


@dataclass
class Block:
    """Episodes of one category, and the instances that they share.

    Attributes:
        category_id: the category.
        episodes: in the order of the evaluation list.
        ann_ids: distinct instances, in the order in which they are first needed; a dict
            because it is an ordered set.
    """

    category_id: int
    episodes: list[Episode] = field(default_factory=list)
    ann_ids: dict[int, None] = field(default_factory=dict)

    @property
    def num_pairs(self) -> int:
        """Support-query pairs, dropped ones included."""
        return sum(len(episode.query_ids) for episode in self.episodes)


def group_categories(episodes: Sequence[Episode]) -> dict[int, list[Episode]]:
    """Episodes by category, in the order in which categories come first."""
    groups: dict[int, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(episode.category_id, []).append(episode)
    return groups


def share_categories(
    groups: dict[int, list[Episode]], rank: int, world_size: int
) -> dict[int, list[Episode]]:
    """The categories of one process: every one belongs to exactly one of them.

    The largest categories are handed out first, each to the process with the fewest
    pairs so far. A process may get none.

    Args:
        groups: episodes by category, the same in every process.
        rank: this process.
        world_size: number of processes.
    """
    sizes = {
        category_id: sum(len(episode.query_ids) for episode in episodes)
        for category_id, episodes in groups.items()
    }
    loads = [0] * world_size
    own = set()
    for category_id in sorted(groups, key=lambda key: (-sizes[key], key)):
        chosen = loads.index(min(loads))
        loads[chosen] += sizes[category_id]
        if chosen == rank:
            own.add(category_id)
    return {key: episodes for key, episodes in groups.items() if key in own}


def split_into_blocks(
    groups: dict[int, list[Episode]], capacity: int
) -> Iterator[Block]:
    """One block per category, more where it has too many instances.

    Args:
        groups: episodes by category.
        capacity: most distinct instances of a block; at least those of any episode.
    """
    for category_id, episodes in groups.items():
        block = Block(category_id)
        for episode in episodes:
            ids = dict.fromkeys(episode.support_ids + episode.query_ids)
            if block.episodes and len(block.ann_ids | ids) > capacity:
                yield block
                block = Block(category_id)
            block.episodes.append(episode)
            block.ann_ids.update(ids)
        yield block


def largest_episode(groups: dict[int, list[Episode]]) -> int:
    """Most distinct instances of any episode; 0 if there is none."""
    return max(
        (
            len({*episode.support_ids, *episode.query_ids})
            for episodes in groups.values()
            for episode in episodes
        ),
        default=0,
    )
