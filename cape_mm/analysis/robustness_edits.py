"""How the episodes of a test are disturbed: one list of edits.

An edit makes other records and another pipeline of a data set, never other files, and
keeps every episode's index and the order of its queries, by which the pairs of two runs
are matched. All chance comes from the seed with the category's or annotation's id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..apis.config_options import suggest
from ..datasets.categories import Category
from ..datasets.transforms.geometric import WarpInstance
from ..datasets.transforms.perturbations import PerturbQuery
from ..errors import ConfigError

if TYPE_CHECKING:
    from ..datasets import MP100EpisodeDataset
    from ..structures import Episode

Skeleton = tuple[tuple[int, int], ...]
Value = float | None


@dataclass(frozen=True)
class EvaluationData:
    """Episodes, and the data set that they index.

    Attributes:
        dataset: never changed; an edit works on a changed copy.
        episodes: in the order of evaluation.
    """

    dataset: MP100EpisodeDataset
    episodes: tuple[Episode, ...]


def change_skeletons(
    data: EvaluationData, choose: Callable[[Category], Skeleton]
) -> EvaluationData:
    """Other edges for every category."""
    changed = {
        key: replace(category, skeleton=choose(category))
        for key, category in data.dataset.categories.items()
    }
    return replace(data, dataset=data.dataset.with_changes(categories=changed))


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


def disturb_queries(
    data: EvaluationData, seed: int, step: Mapping, before_warp: bool
) -> EvaluationData:
    """Run the queries, and them alone, through a further transform.

    An instance may be a support here and a query there. So every query gets a twin, a
    record of the same annotation under another id, which ``PerturbQuery`` knows by
    ``twin_of``, and which the evaluation takes for another instance.

    Args:
        data: the episodes.
        seed: of the transform's chance, together with the annotation's id.
        step: the transform's config.
        before_warp: it changes the crop's description, not the picture.

    Raises:
        ConfigError: the pipeline does not have one ``WarpInstance``.
    """
    dataset = data.dataset
    steps = list(dataset.pipeline.transforms)
    places = [i for i, known in enumerate(steps) if isinstance(known, WarpInstance)]
    if len(places) != 1:
        raise ConfigError(
            f'the test pipeline has {len(places)} transforms WarpInstance; one is '
            f'needed, before or after which pictures are changed'
        )
    steps.insert(places[0] + (not before_warp), PerturbQuery([step], seed))
    free_id = 1 + max(instance.ann_id for instance in dataset.index.instances)
    used = dict.fromkeys(i for episode in data.episodes for i in episode.query_ids)
    twin_ids = {ann_id: free_id + place for place, ann_id in enumerate(used)}
    twins = [
        replace(dataset.index[ann_id], ann_id=twin, twin_of=ann_id)
        for ann_id, twin in twin_ids.items()
    ]
    episodes = tuple(
        replace(e, query_ids=tuple(twin_ids[i] for i in e.query_ids))
        for e in data.episodes
    )
    changed = dataset.with_changes(instances=twins, pipeline=steps)
    return EvaluationData(changed, episodes)


@dataclass(frozen=True)
class Edit:
    """One thing that is changed, at one or several strengths.

    Attributes:
        name: for the command line and the files.
        title: for people to read, with the strength's unit.
        apply: makes other episodes of data, a strength and a seed.
        values: strengths; ``(None,)`` has none.
    """

    name: str
    title: str
    apply: Callable[[EvaluationData, Value, int], EvaluationData]
    values: tuple[Value, ...] = (None,)

    def label(self, value: Value) -> str:
        """Title with the strength."""
        return self.title if value is None else f'{self.title} {value:g}'


def _skeletons(choose: Callable[[Category, int], Skeleton]) -> Callable:
    return lambda data, _, seed: change_skeletons(data, lambda c: choose(c, seed))


def _queries(make: Callable[[float], dict], before_warp: bool = False) -> Callable:
    return lambda data, value, seed: disturb_queries(
        data, seed, make(value), before_warp
    )


def _occlusion(share: float) -> dict:
    sizes = dict(num_patches=(1, 1), area=(share, share), aspect=(1.0, 1.0))
    return dict(type='RandomOcclusion', prob=1.0, **sizes)


def _affine(key: str) -> Callable:
    return _queries(lambda v: {'type': 'FixedInstanceAffine', key: v}, True)


def _blur(sigma: float) -> dict:
    return dict(type='RandomGaussianBlur', sigma=(sigma, sigma), prob=1.0)


EDITS = (
    Edit('no_skeleton', 'no skeleton', _skeletons(lambda category, seed: ())),
    Edit(
        'permuted_skeleton',
        'permuted skeleton',
        _skeletons(lambda c, seed: relabel(c.skeleton, draw_order(c, seed))),
    ),
    Edit('occlusion', 'query occluded, share', _queries(_occlusion), (0.1, 0.2, 0.4)),
    Edit(
        'rotation',
        'query rotated, degrees',
        _affine('rotation'),
        (30, 60, 90, 120, 150, 180),
    ),
    Edit('scale', 'query scaled by', _affine('scale'), (0.5, 0.7, 0.85, 1.2, 1.5)),
    Edit(
        'jpeg',
        'query as JPEG, quality',
        _queries(lambda v: dict(type='JpegCompression', quality=v)),
        (50, 20, 10, 5),
    ),
    Edit(
        'blur',
        'query blurred, sigma / side',
        _queries(_blur),
        (0.005, 0.01, 0.02, 0.04),
    ),
)


def choose_edits(names: Iterable[str] | None) -> Sequence[Edit]:
    """Edits by name, in the order of the list; all for None.

    Raises:
        ConfigError: a name is unknown.
    """
    known = {edit.name: edit for edit in EDITS}
    wanted = known if names is None else set(names)
    for name in sorted(wanted - known.keys()):
        raise ConfigError(
            f'unknown perturbation {name!r}{suggest(name, known)}. There are: '
            f'{", ".join(known)}.'
        )
    return [edit for name, edit in known.items() if name in wanted]
