"""Categories of an annotation file: key by id, K from the data, 0-based skeletons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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
    """

    id: int
    name: str
    supercategory: str
    num_keypoints: int
    skeleton: tuple[tuple[int, int], ...]
    keypoint_names: tuple[str, ...]


def zero_based_skeleton(
    edges: Sequence[Sequence[int]], num_keypoints: int
) -> tuple[tuple[int, int], ...]:
    """Read a skeleton that may count from 0 or from 1.

    The first release of MP-100 mixes both. An index equal to K can only be 1-based, and
    then no index may be 0; everything else is read as 0-based.

    Args:
        edges: index pairs as the file has them.
        num_keypoints: K.

    Returns:
        0-based pairs in the file's order, repeated edges and self-loops left out.

    Raises:
        TypeError: an index is no integer.
        ValueError: an index fits neither way of counting.
    """
    nodes = [node for edge in edges for node in edge]
    for node in nodes:
        if not isinstance(node, Integral) or isinstance(node, bool):
            raise TypeError(f'skeleton index {node!r} is not an integer')
    is_one_based = bool(nodes) and min(nodes) >= 1 and max(nodes) == num_keypoints
    shifted = [[int(node) - int(is_one_based) for node in edge] for edge in edges]
    check_skeleton(shifted, num_keypoints)
    unique = {frozenset(edge): tuple(edge) for edge in shifted if len(set(edge)) == 2}
    return tuple((a, b) for a, b in unique.values())


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
    lengths: dict[int, Counter] = {}
    for ann in annotations:
        keypoints = ann.get('keypoints')
        if isinstance(keypoints, list) and keypoints and len(keypoints) % 3 == 0:
            counter = lengths.setdefault(ann.get('category_id'), Counter())
            counter[len(keypoints) // 3] += 1
    return {
        category.id: category
        for category in (
            _read_category(raw, lengths.get(raw.get('id'), Counter()), source)
            for raw in raw_categories
        )
    }


def _read_category(raw: dict, lengths: Counter, source: str) -> Category:
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
    num_keypoints = lengths.most_common(1)[0][0] if lengths else len(names)
    try:
        skeleton = zero_based_skeleton(raw.get('skeleton') or (), num_keypoints)
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
    )
