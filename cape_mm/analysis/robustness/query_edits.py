"""What is changed about the queries' pictures; supports stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...datasets.transforms.perturbations import PerturbQuery
from .evaluation_data import EvaluationData


def perturb_queries(
    data: EvaluationData,
    seed: int,
    before_warp: Sequence[Mapping] = (),
    after_warp: Sequence[Mapping] = (),
) -> EvaluationData:
    """Run the queries, and them alone, through further transforms.

    An instance may be a support here and a query there. So every query gets a twin, a
    record of the same annotation under another id, which ``PerturbQuery`` knows by
    ``twin_of``; the feature bank takes the two for different instances, and keeps both.

    Args:
        data: the episodes.
        seed: of the transforms' chance, together with the annotation's id.
        before_warp: configs of transforms of the crop's description.
        after_warp: configs of transforms of the picture that the network gets.
    """
    used = dict.fromkeys(i for episode in data.episodes for i in episode.query_ids)
    twin_ids = {ann_id: data.free_id + place for place, ann_id in enumerate(used)}
    twins = [
        replace(data.dataset.get_instance(i), ann_id=twin, twin_of=i)
        for i, twin in twin_ids.items()
    ]
    episodes = tuple(
        replace(e, query_ids=tuple(twin_ids[i] for i in e.query_ids))
        for e in data.episodes
    )
    edited = replace(data, episodes=episodes).with_instances(twins)
    steps = (
        [PerturbQuery(wanted, seed)] if wanted else []
        for wanted in (before_warp, after_warp)
    )
    return edited.with_transforms(*steps)
