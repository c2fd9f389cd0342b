"""Which episodes are evaluated together, and by which process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...structures import Episode


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
    sizes = {key: count_pairs(episodes) for key, episodes in groups.items()}
    loads = [0] * world_size
    own = set()
    for category_id in sorted(groups, key=lambda key: (-sizes[key], key)):
        chosen = loads.index(min(loads))
        loads[chosen] += sizes[category_id]
        if chosen == rank:
            own.add(category_id)
    return {key: episodes for key, episodes in groups.items() if key in own}


def split_categories(
    groups: dict[int, list[Episode]], max_instances: int
) -> Iterator[list[Episode]]:
    """The episodes of every category, in parts where it has too many instances.

    Args:
        groups: episodes by category.
        max_instances: most distinct instances of a part; an episode with more is one.
    """
    for episodes in groups.values():
        part: list[Episode] = []
        known: set[int] = set()
        for episode in episodes:
            ids = {*episode.support_ids, *episode.query_ids}
            if part and len(known | ids) > max_instances:
                yield part
                part, known = [], set()
            part.append(episode)
            known |= ids
        yield part


def count_pairs(episodes: Sequence[Episode]) -> int:
    """Support-query pairs, dropped ones included."""
    return sum(len(episode.query_ids) for episode in episodes)
