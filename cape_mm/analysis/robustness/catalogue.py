"""The perturbations by name, and the strengths at which each is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ...apis.config_checks import suggest
from ...errors import ConfigError
from .evaluation_data import EvaluationData
from .query_edits import perturb_queries
from .support_edits import (
    change_skeletons,
    keep_points,
    permute_keypoints,
    permuted_skeleton,
    random_skeleton,
    swap_supports,
)

Value = float | None
Edit = Callable[[EvaluationData, Value, int], EvaluationData]


@dataclass(frozen=True)
class Perturbation:
    """One thing that is changed, at one or several strengths.

    Attributes:
        name: for the command line and the files.
        title: for people to read.
        edit: makes other episodes of data, a strength and a seed.
        values: strengths in the order of the curve; ``(None,)`` has none.
        neutral: strength at which nothing is changed; the clean run stands there.
            None where every strength is a change, or there is none.
        axis: name and unit of the strength.
        is_symmetry: a sound model's predictions do not change at all.
    """

    name: str
    title: str
    edit: Edit
    values: tuple[Value, ...] = (None,)
    neutral: Value = None
    axis: str = ''
    is_symmetry: bool = False

    @property
    def is_curve(self) -> bool:
        """Whether it has strengths."""
        return self.values != (None,)

    def label(self, value: Value) -> str:
        """Title with the strength."""
        return self.title if value is None else f'{self.title} {value:g}'


def _skeleton(choose: Callable | None) -> Edit:
    def edit(data: EvaluationData, _: Value, seed: int) -> EvaluationData:
        if choose is None:
            return change_skeletons(data, lambda category: ())
        changed = change_skeletons(data, lambda category: choose(category, seed))
        categories = data.dataset.categories
        bare = sum(not categories[i].skeleton for i in data.category_ids)
        note = f'{bare} of {len(data.category_ids)} categories have no edge to change'
        return replace(changed, notes=data.notes + ((note,) if bare else ()))

    return edit


def _without_value(change: Callable[[EvaluationData, int], EvaluationData]) -> Edit:
    return lambda data, _, seed: change(data, seed)


def _marked(data: EvaluationData, value: Value, seed: int) -> EvaluationData:
    return keep_points(data, int(value), seed)


def _occluded(value: float) -> dict:
    sizes = dict(num_patches=(1, 1), area=(value, value), aspect=(1.0, 1.0))
    return dict(type='RandomOcclusion', fills=('color',), prob=1.0, **sizes)


def _blurred(value: float) -> dict:
    return dict(type='RandomGaussianBlur', sigma=(value, value), prob=1.0)


def _picture(
    make: Callable[[float], dict], place: str, data: EvaluationData, value, seed
) -> EvaluationData:
    return perturb_queries(data, seed, **{place: [make(value)]})


def _crop(argument: str) -> Edit:
    return partial(
        _picture,
        lambda value: {'type': 'FixedInstanceAffine', argument: value},
        'before_warp',
    )


CATALOGUE = {
    entry.name: entry
    for entry in (
        Perturbation('no_skeleton', 'no skeleton', _skeleton(None)),
        Perturbation('random_skeleton', 'random skeleton', _skeleton(random_skeleton)),
        Perturbation(
            'permuted_skeleton', 'permuted skeleton', _skeleton(permuted_skeleton)
        ),
        Perturbation(
            'keypoint_order',
            'permuted keypoint order',
            _without_value(permute_keypoints),
            is_symmetry=True,
        ),
        Perturbation(
            'wrong_category',
            'support of a wrong category',
            _without_value(swap_supports),
        ),
        Perturbation(
            'support_points',
            'support points:',
            _marked,
            (1, 2, 4, 8),
            axis='points marked on the support',
        ),
        Perturbation(
            'occlusion',
            'query occluded, share',
            partial(_picture, _occluded, 'after_warp'),
            (0.1, 0.2, 0.4),
            neutral=0,
            axis='covered share of the query crop',
        ),
        Perturbation(
            'rotation',
            'query rotated, degrees',
            _crop('rotation'),
            (30, 60, 90, 120, 150, 180),
            neutral=0,
            axis='rotation of the query [degrees]',
        ),
        Perturbation(
            'scale',
            'query scaled by',
            _crop('scale'),
            (0.5, 0.7, 0.85, 1.2, 1.5),
            neutral=1,
            axis='scale of the query',
        ),
        Perturbation(
            'jpeg',
            'query as JPEG, quality',
            partial(
                _picture,
                lambda value: dict(type='JpegCompression', quality=value),
                'after_warp',
            ),
            (50, 20, 10, 5),
            neutral=100,
            axis='JPEG quality of the query crop',
        ),
        Perturbation(
            'blur',
            'query blurred, sigma',
            partial(_picture, _blurred, 'after_warp'),
            (0.005, 0.01, 0.02, 0.04),
            neutral=0,
            axis='blur of the query, sigma / crop side',
        ),
    )
}


def choose_perturbations(names: Iterable[str] | None) -> Sequence[Perturbation]:
    """Perturbations by name, in the catalogue's order; all for None.

    Raises:
        ConfigError: a name is unknown, or there is none.
    """
    if names is None:
        return tuple(CATALOGUE.values())
    names = set(names)
    for name in sorted(names - CATALOGUE.keys()):
        raise ConfigError(
            f'unknown perturbation {name!r}{suggest(name, CATALOGUE)}. There are: '
            f'{", ".join(CATALOGUE)}.'
        )
    if not names:
        raise ConfigError(f'no perturbation named; there are: {", ".join(CATALOGUE)}.')
    return tuple(entry for name, entry in CATALOGUE.items() if name in names)
