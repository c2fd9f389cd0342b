"""Categories of an annotation file: key by id, K from the data, 0-based skeletons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral

from ..errors import AnnotationFormatError
from ..structures.skeleton import check_skeleton


@dataclass(frozen=True)
class Category:
    """One object category.

    Attributes:
        id: the category's id; names are not unique (MP-100 has two called "face").
        name: for people to read.
        supercategory: group of the category, or an empty string.
        num_keypoints: K.
        skeleton: 0-based keypoint index pairs, E of them, without repetition.
        keypoint_names: K names, or an empty tuple where the file has none.
        is_base_guessed: the skeleton names neither the first nor the last keypoint of
            either way of counting, and was read from 1.
    """

    id: int
    name: str
    supercategory: str
    num_keypoints: int
    skeleton: tuple[tuple[int, int], ...]
    keypoint_names: tuple[str, ...]
    is_base_guessed: bool = False


BASE_KEY = 'skeleton_base'
"""Key of a category that says whether its skeleton counts from 0 or from 1."""

GUESSED_BASE = (
    'the skeleton could count from 0 or from 1 and was read from 1, as COCO counts; '
    '"skeleton_base": 0 in its category says otherwise'
)


def zero_based_skeleton(
    edges: Sequence[Sequence[int]], num_keypoints: int, base: int | None = None
) -> tuple[tuple[int, int], ...]:
    """Read a skeleton that may count from 0 or from 1.

    Args:
        edges: index pairs as the file has them.
        num_keypoints: K.
        base: number of the first keypoint; None for what :func:`certain_base` finds,
            else 0.

    Returns:
        0-based pairs in the file's order, repeated edges and self-loops left out.

    Raises:
        TypeError: an index is no integer.
        ValueError: an index fits neither way of counting.
    """
    for node in (node for edge in edges for node in edge):
        if not isinstance(node, Integral) or isinstance(node, bool):
            raise TypeError(f'skeleton index {node!r} is not an integer')
    counts_from = certain_base(edges, num_keypoints)
    if base == 1 and counts_from == 0:
        raise ValueError(
            'a skeleton that counts from 1 has no index 0: read it as coco'
        )
    base = (counts_from or 0) if base is None else base
    shifted = [[int(node) - base for node in edge] for edge in edges]
    check_skeleton(shifted, num_keypoints)
    unique = {frozenset(edge): tuple(edge) for edge in shifted if len(set(edge)) == 2}
    return tuple((a, b) for a, b in unique.values())


def certain_base(edges: object, num_keypoints: int) -> int | None:
    """0 or 1 where a skeleton can only count from there, else None.

    An index 0 can only be 0-based; an index equal to K, where there is no 0, 1-based.
    """
    nodes = [node for edge in edges or () for node in edge]
    if 0 in nodes:
        return 0
    return 1 if num_keypoints in nodes else None


def settle_bases(
    raw_categories: Iterable[dict], annotations: Iterable[dict]
) -> list[dict]:
    """The same categories, each skeleton with a ``skeleton_base``.

    A skeleton that fits both ways of counting is read as the others of the file count;
    from 0 where those do not agree, as in the first release of MP-100; and from 1, as
    COCO does, where there are no others.

    Args:
        raw_categories: the file's ``categories``.
        annotations: the file's ``annotations``.
    """
    lengths = _count_lengths(annotations)
    raws, bases = list(raw_categories), []
    for raw in raws:
        base = raw.get(BASE_KEY)
        if base not in (0, 1):
            base = None
            with suppress(TypeError):  # no list of lists: refused when it is read
                base = certain_base(raw.get('skeleton'), _num_keypoints(raw, lengths))
        bases.append(base)
    certain = set(bases) - {None}
    usual = 1 if certain <= {1} else 0
    return [
        {**raw, BASE_KEY: usual if base is None else base}
        if raw.get('skeleton')
        else raw
        for raw, base in zip(raws, bases)
    ]


def read_categories(
    raw_categories: Iterable[dict], annotations: Iterable[dict], source: str
) -> dict[int, Category]:
    """Build the categories of an annotation file.

    Args:
        raw_categories: the file's ``categories``.
        annotations: the file's ``annotations``; they tell K where no name list does.
        source: file name for messages.

    Returns:
        Categories by id, in the file's order.

    Raises:
        AnnotationFormatError: a skeleton edge is out of range, or a required key is
            missing.
    """
    annotations = list(annotations)
    lengths = _count_lengths(annotations)
    categories = (
        _read_category(raw, _num_keypoints(raw, lengths), source)
        for raw in settle_bases(raw_categories, annotations)
    )
    return {category.id: category for category in categories}


def _count_lengths(annotations: Iterable[dict]) -> dict[int, Counter]:
    """How many annotations have how many keypoints, by category."""
    lengths: dict[int, Counter] = {}
    for ann in annotations:
        keypoints = ann.get('keypoints')
        if isinstance(keypoints, list) and keypoints and len(keypoints) % 3 == 0:
            counter = lengths.setdefault(ann.get('category_id'), Counter())
            counter[len(keypoints) // 3] += 1
    return lengths


def _num_keypoints(raw: dict, lengths: dict[int, Counter]) -> int:
    """What most annotations have; of as many, what the names say; else those."""
    names = raw.get('keypoints')
    num_names = len(names) if isinstance(names, (list, tuple)) else 0
    counts = lengths.get(raw.get('id'))
    if not counts:
        return num_names
    return max(counts, key=lambda number: (counts[number], number == num_names))


def _read_category(raw: dict, num_keypoints: int, source: str) -> Category:
    if 'id' not in raw:
        raise AnnotationFormatError(f'{source}: a category has no "id": {raw}')
    name = str(raw.get('name', raw['id']))
    names = raw.get('keypoints') or ()
    if not isinstance(names, (list, tuple)):
        raise AnnotationFormatError(
            f'{source}: category {raw["id"]} ({name!r}): "keypoints" should be a list '
            f'of names, but is {names!r}'
        )
    names = tuple(str(name) for name in names)
    edges, base = raw.get('skeleton') or (), raw.get(BASE_KEY)
    try:
        skeleton = zero_based_skeleton(edges, num_keypoints, base)
        is_guessed = base == 1 and certain_base(edges, num_keypoints) is None
    except (TypeError, ValueError) as error:
        raise AnnotationFormatError(
            f'{source}: category {raw["id"]} ({name!r}): {error}. '
            f'Correct the "skeleton" of this category in the file.'
        ) from error
    return Category(
        id=int(raw['id']),
        name=name,
        supercategory=str(raw.get('supercategory', '')),
        num_keypoints=num_keypoints,
        skeleton=skeleton,
        keypoint_names=names if len(names) == num_keypoints else (),
        is_base_guessed=is_guessed,
    )
