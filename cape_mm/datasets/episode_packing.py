"""From the instances of an episode to one data set item.

Some instances may turn out not to load. Evaluation episodes stay what they are: what
does not load is dropped, and noted. Training episodes stay complete: what does not load
is redrawn in its category.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from ..errors import InstanceLoadError, MissingDataError
from ..structures import Episode, EpisodeDataSample
from .categories import Category

LABEL_KEYS = ('keypoints', 'keypoints_orig', 'is_visible', 'is_visible_orig')
OPTIONAL_KEYS = ('visibility',)
"""Labels that only some sources tell."""


def load_or_drop(
    query_ids: Sequence[int],
    load_supports: Callable[[], list[dict]],
    load_query: Callable[[int], dict],
) -> tuple[list[dict], list[dict], list[dict]]:
    """Load the instances of an evaluation episode; drop the pairs that can't be.

    A support that can't be loaded drops all pairs of its episode.

    Args:
        query_ids: annotation ids of the queries.
        load_supports: loads all supports.
        load_query: loads an annotation id.

    Returns:
        The supports, or none if no query is left; the queries that could be loaded;
        ``dict(slot, ann_id, reason)`` of every dropped pair.
    """
    try:
        supports = load_supports()
    except InstanceLoadError as error:
        reason = f'support: {error.reason}'
        pairs = enumerate(query_ids)
        return [], [], [dict(slot=s, ann_id=i, reason=reason) for s, i in pairs]
    queries, dropped = [], []
    for slot, ann_id in enumerate(query_ids):
        try:
            queries.append(load_query(ann_id))
        except InstanceLoadError as error:
            dropped.append(
                dict(slot=slot, ann_id=ann_id, reason=f'query: {error.reason}')
            )
    return supports if queries else [], queries, dropped


def load_or_redraw(
    wanted: Sequence[int],
    num_shots: int,
    pool: Sequence[tuple[int, int]],
    load: Callable[[int], dict],
    image_of: Callable[[int], int],
    seed: int,
    what: str,
) -> tuple[list[dict], list[dict]]:
    """Load the instances of a training episode; replace those that can't be.

    The replacement is drawn from the episode's own seed, so an epoch stays reproducible
    on the same data. A query never shares an image with a support.

    Args:
        wanted: annotation ids, first the S supports, then the queries.
        num_shots: S.
        pool: annotation and image ids of the category.
        load: loads an annotation id.
        image_of: image id of an annotation id.
        seed: the episode's seed.
        what: the category, for the message.

    Returns:
        What ``load`` returned, in the order of ``wanted``, and ``dict(ann_id, reason)``
        of every instance that was replaced.

    Raises:
        MissingDataError: no replacement is left: the category starves.
    """
    wanted, loaded, failed = list(wanted), [], []
    candidates: list[int] | None = None
    while len(loaded) < len(wanted):
        slot = len(loaded)
        try:
            loaded.append(load(wanted[slot]))
        except InstanceLoadError as error:
            failed.append(dict(ann_id=wanted[slot], reason=error.reason))
            if candidates is None:  # hardly ever needed
                candidates = _shuffle_others(pool, wanted, seed)
                limit = len(candidates)
            others = wanted[num_shots:] if slot < num_shots else wanted[:num_shots]
            images = {image_of(ann_id) for ann_id in others}
            allowed = (i for i in candidates if image_of(i) not in images)
            chosen = next(allowed, None)
            if chosen is None:
                reasons = Counter(entry['reason'] for entry in failed).most_common()
                counts = ', '.join(f'{count} {reason}' for reason, count in reasons)
                raise MissingDataError(
                    f'{what} can not complete an episode of {len(wanted)} instances '
                    f'any more: of its {len(pool)} instances {len(failed)} were tried '
                    f'in vain ({counts}) and no other may stand in after '
                    f'{len(failed) - 1} redraws. The last failure: {error}. Restore '
                    f'the images of this category or leave the category out '
                    f'(exclude_categories of the dataset).'
                ) from error
            print_log(
                f'{error} -> redrawn within its category (try {len(failed)} of '
                f'{limit})',
                logger='current',
                level=logging.WARNING,
            )
            candidates.remove(chosen)
            wanted[slot] = chosen
    return loaded, failed


def _shuffle_others(
    pool: Sequence[tuple[int, int]], used: Sequence[int], seed: int
) -> list[int]:
    others = [ann_id for ann_id, _ in pool if ann_id not in set(used)]
    rng = np.random.default_rng([seed, len(others)])
    return [others[i] for i in rng.permutation(len(others))]


def pack_episode(
    episode: Episode,
    category: Category,
    supports: list[dict],
    queries: list[dict],
    dropped_pairs: list[dict],
    redrawn: Sequence[dict] = (),
) -> dict[str, dict | EpisodeDataSample]:
    """Stack packed instances into one data set item.

    Args:
        episode: the episode that was asked for.
        category: its category.
        supports: what ``PackInstance`` returned for every support; empty where the
            whole episode was dropped.
        queries: the same for the queries that could be loaded.
        dropped_pairs: ``dict(slot, ann_id, reason)`` of every pair left out.
        redrawn: ``dict(ann_id, reason)`` of every instance that was replaced.

    Returns:
        ``inputs`` with uint8 BGR images ``support`` (S, 3, H, W) and ``query``
        (Q, 3, H, W), and ``data_samples``, an :class:`EpisodeDataSample`.
    """
    dropped_slots = {pair['slot'] for pair in dropped_pairs}
    sample = EpisodeDataSample(
        metainfo=dict(
            category_id=category.id,
            category_name=category.name,
            supercategory=category.supercategory,
            skeleton=[list(edge) for edge in category.skeleton],
            num_keypoints=category.num_keypoints,
            episode_index=episode.index,
            input_size=queries[0]['input_size'] if queries else None,
            query_slots=[
                slot
                for slot in range(len(episode.query_ids))
                if slot not in dropped_slots
            ],
            query_img_paths=[query['img_path'] for query in queries],
            support_img_paths=[support['img_path'] for support in supports],
            crop_to_image=_stack_maps(queries),
            dropped_pairs=dropped_pairs,
            redrawn=list(redrawn),
            episode=episode,
        )
    )
    sample.support_instances = _stack_labels(supports, category.num_keypoints)
    sample.gt_instances = _stack_labels(queries, category.num_keypoints)
    inputs = dict(support=_stack_images(supports), query=_stack_images(queries))
    return dict(inputs=inputs, data_samples=sample)


def _stack_maps(instances: list[dict]) -> np.ndarray:
    maps = [instance['crop_to_image'] for instance in instances]
    return np.stack(maps) if maps else np.zeros((0, 2, 3))


def _stack_images(instances: list[dict]) -> torch.Tensor:
    if not instances:
        return torch.zeros(0, 3, 0, 0, dtype=torch.uint8)
    if len(instances) == 1:
        return instances[0]['image'][None]  # no copy
    return torch.stack([instance['image'] for instance in instances])


def _stack_labels(instances: list[dict], num_keypoints: int) -> InstanceData:
    if not instances:
        points = torch.zeros(0, num_keypoints, 2)
        mask = torch.zeros(0, num_keypoints, dtype=torch.bool)
        labels = dict(zip(LABEL_KEYS, (points, points, mask, mask)))
        ids = torch.zeros(0, dtype=torch.int64)
        return InstanceData(
            **labels, bboxes=torch.zeros(0, 4), ann_ids=ids, img_ids=ids
        )
    labels = {
        key: torch.stack([inst[key] for inst in instances])
        for key in (*LABEL_KEYS, *OPTIONAL_KEYS)
        if key in LABEL_KEYS or all(key in inst for inst in instances)
    }
    return InstanceData(
        **labels,
        bboxes=torch.stack([inst['bbox'] for inst in instances]),
        ann_ids=torch.tensor([inst['ann_id'] for inst in instances]),
        img_ids=torch.tensor([inst['img_id'] for inst in instances]),
    )
