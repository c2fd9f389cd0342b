"""What is changed about the support: its graph, its points, or all of it.

Every edit is a change of records, so the loops' feature bank knows nothing of it and
works as ever. All chance comes from the seed with the category's id or the episode's
index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np

from ...datasets.categories import Category
from ...datasets.instance_filters import Instance
from ...errors import ConfigError
from ...structures import Episode
from .evaluation_data import EvaluationData

Skeleton = tuple[tuple[int, int], ...]


def random_skeleton(category: Category, seed: int) -> Skeleton:
    """As many edges as the category has, any of all pairs of keypoints."""
    pairs = list(combinations(range(category.num_keypoints), 2))
    rng = np.random.default_rng([seed, category.id])
    chosen = rng.permutation(len(pairs))[: len(category.skeleton)]
    return tuple(pairs[i] for i in chosen)


def permuted_skeleton(category: Category, seed: int) -> Skeleton:
    """The same graph, hung on the keypoints in another order."""
    return relabel(category.skeleton, draw_order(category, seed))


def draw_order(category: Category, seed: int) -> np.ndarray:
    """Which keypoint comes to stand at each place, int (K,).

    No keypoint keeps its place, unless there is only one.
    """
    rng = np.random.default_rng([seed, category.id])
    chain = rng.permutation(category.num_keypoints)
    order = np.empty_like(chain)
    order[chain] = np.roll(chain, 1)  # one cycle through all of them
    return order


def relabel(skeleton: Skeleton, order: np.ndarray) -> Skeleton:
    """Edges between the places that the keypoints move to."""
    place = np.argsort(order).tolist()
    return tuple((place[start], place[end]) for start, end in skeleton)


def change_skeletons(
    data: EvaluationData, choose: Callable[[Category], Skeleton]
) -> EvaluationData:
    """Other edges for every category."""
    return data.with_categories(lambda old: replace(old, skeleton=choose(old)))


def permute_keypoints(data: EvaluationData, seed: int) -> EvaluationData:
    """List all keypoints of a category in another order, edges with them."""
    categories = data.dataset.categories
    orders = {i: draw_order(categories[i], seed) for i in data.category_ids}
    used = dict.fromkeys(i for e in data.episodes for i in e.support_ids + e.query_ids)
    instances = map(data.dataset.get_instance, used)
    edited = data.with_instances(
        take_keypoints(inst, orders[inst.category_id]) for inst in instances
    ).with_categories(
        lambda old: replace(old, skeleton=relabel(old.skeleton, orders[old.id]))
    )
    return replace(edited, keypoint_order=orders)


def take_keypoints(instance: Instance, index: np.ndarray) -> Instance:
    """An instance with some of its keypoints, in the order asked for."""
    columns = ('keypoints', 'is_visible', 'visibility')
    return replace(instance, **{key: getattr(instance, key)[index] for key in columns})


def keep_points(data: EvaluationData, number: int, seed: int) -> EvaluationData:
    """Mark only so many keypoints on the supports, the same ones in all shots.

    They are drawn for every episode from those that all of its supports show. Those not
    marked are not asked for, so they are not scored either. An episode with no more
    than ``number`` keeps what it has.
    """
    twins, episodes, num_whole = [], [], 0
    for episode in data.episodes:
        shown = [data.dataset.get_instance(i) for i in episode.support_ids]
        common = np.flatnonzero(np.all([inst.is_visible for inst in shown], axis=0))
        if len(common) <= number:
            num_whole += 1
            episodes.append(episode)
            continue
        rng = np.random.default_rng([seed, episode.index])
        chosen = rng.permutation(common)[:number]
        start = data.free_id + len(twins)
        own = [_mark_only(inst, chosen, start + i) for i, inst in enumerate(shown)]
        twins += own
        ids = tuple(inst.ann_id for inst in own)
        episodes.append(replace(episode, support_ids=ids))
    notes = ()
    if num_whole:
        notes = (
            f'{num_whole:,} of {len(episodes):,} episodes mark no more than {number}',
        )
    edited = replace(data, episodes=tuple(episodes), notes=data.notes + notes)
    return edited.with_instances(twins)


def _mark_only(instance: Instance, chosen: np.ndarray, ann_id: int) -> Instance:
    is_visible = np.zeros_like(instance.is_visible)
    is_visible[chosen] = True
    return replace(instance, ann_id=ann_id, is_visible=is_visible)


def swap_supports(data: EvaluationData, seed: int) -> EvaluationData:
    """Give every episode supports of another category.

    The other category is, of those with the same or a larger number of keypoints, one
    with the fewest; several such are drawn from. Its picture comes with its points and
    its skeleton, of which the first K are taken, K being the query's. A category that
    no other one can stand in for is left out.

    Raises:
        ConfigError: no category has a partner.
    """
    partners = {i: find_partner(data, i, seed) for i in data.category_ids}
    alone = [i for i, partner in partners.items() if partner is None]
    if len(alone) == len(partners):
        raise ConfigError(
            'wrong_category: no category has another one with as many keypoints and '
            'enough instances. Leave it out, or test on more categories.'
        )
    least = {i: data.dataset.categories[i].num_keypoints for i in partners}
    pools = {
        i: _stand_ins(data, partner, least[i])
        for i, partner in partners.items()
        if partner is not None
    }
    twins: dict[tuple[int, int], Instance] = {}
    episodes = tuple(
        _swap_episode(episode, pools[episode.category_id], seed, twins, data.free_id)
        for episode in data.episodes
        if episode.category_id in pools
    )
    skeletons = {i: _first_edges(data, partners[i], least[i]) for i in pools}
    edited = change_skeletons(
        data.with_instances(twins.values()),
        lambda old: skeletons.get(old.id, old.skeleton),
    )
    notes = tuple(_describe_alone(data.dataset.categories[i]) for i in alone)
    return replace(edited, episodes=episodes, notes=data.notes + notes)


def find_partner(data: EvaluationData, category_id: int, seed: int) -> int | None:
    """The category whose instances stand in for those of another, or None."""
    categories = data.dataset.categories
    least = categories[category_id].num_keypoints
    num_shots = max(len(e.support_ids) for e in data.episodes)
    able = [
        i
        for i in categories
        if i != category_id
        and categories[i].num_keypoints >= least
        and len(_stand_ins(data, i, least)) >= num_shots
    ]
    fewest = min((categories[i].num_keypoints for i in able), default=None)
    nearest = [i for i in able if categories[i].num_keypoints == fewest]
    rng = np.random.default_rng([seed, category_id])
    return nearest[rng.integers(len(nearest))] if nearest else None


def _stand_ins(data: EvaluationData, category_id: int, least: int) -> list[Instance]:
    """Instances with their first keypoints alone, as far as they show one of them."""
    pool = data.dataset.instances_by_category.get(category_id, ())
    instances = (data.dataset.get_instance(ann_id) for ann_id, _ in pool)
    cut = (take_keypoints(inst, np.arange(least)) for inst in instances)
    return [inst for inst in cut if inst.is_visible.any()]


def _swap_episode(
    episode: Episode,
    pool: list[Instance],
    seed: int,
    twins: dict[tuple[int, int], Instance],
    free_id: int,
) -> Episode:
    rng = np.random.default_rng([seed, episode.index])
    ids = []
    for place in rng.permutation(len(pool))[: len(episode.support_ids)]:
        key = episode.category_id, pool[place].ann_id
        if key not in twins:
            twins[key] = replace(
                pool[place],
                ann_id=free_id + len(twins),
                category_id=episode.category_id,
            )
        ids.append(twins[key].ann_id)
    return replace(episode, support_ids=tuple(ids))


def _first_edges(data: EvaluationData, category_id: int, least: int) -> Skeleton:
    edges = data.dataset.categories[category_id].skeleton
    return tuple(edge for edge in edges if max(edge) < least)


def _describe_alone(category: Category) -> str:
    return (
        f'category {category.id} ({category.name!r}) left out: no other one has its '
        f'{category.num_keypoints} keypoints or more'
    )
