"""Skeletons of an annotation file: which base they count from, what does not fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycocotools.coco import COCO

from ...datasets.categories import (
    BASE_KEY,
    Category,
    certain_base,
    read_categories,
    zero_based_skeleton,
)
from ...errors import AnnotationFormatError
from ...structures.skeleton import check_skeleton
from .findings import GAP, NOTE, REFUSED, Finding, found, label


@dataclass(frozen=True)
class CheckedSkeleton:
    """How a category's skeleton reads.

    Attributes:
        base: 0 or 1, or None for an empty skeleton.
        is_certain: False where it could be read either way.
        edges: what is usable, 0-based.
        bad_edges: those that fit neither way of counting, as the file has them.
    """

    base: int | None
    is_certain: bool
    edges: tuple[tuple[int, int], ...]
    bad_edges: tuple[Any, ...]


def check_edges(edges: Any, num_keypoints: int, base: int = 0) -> CheckedSkeleton:
    """Read a skeleton edge by edge.

    Where :func:`~cape_mm.datasets.categories.zero_based_skeleton` refuses the whole, an
    edge is bad that it refuses alone.

    Args:
        edges: the category's ``skeleton`` as the file has it.
        num_keypoints: K.
        base: the category's ``skeleton_base``, where the edges fit both.
    """
    if not isinstance(edges, (list, tuple)):
        bad = () if edges is None else (edges,)
        return CheckedSkeleton(None, True, (), bad)
    counts_from = certain_base(
        [e for e in edges if _fits(e, num_keypoints)], num_keypoints
    )
    base = base if counts_from is None else counts_from
    good, bad_edges = [], []
    for edge in edges:
        is_good = _fits(edge, num_keypoints) and num_keypoints * (1 - base) not in edge
        (good if is_good else bad_edges).append(edge)
    usable = zero_based_skeleton(good, num_keypoints, base)
    is_certain = counts_from is not None or not good
    return CheckedSkeleton(base if good else None, is_certain, usable, tuple(bad_edges))


def _fits(edge: Any, num_keypoints: int) -> bool:
    """Whether an edge is a pair of indices from 0 to K, the union of both bases."""
    if not isinstance(edge, (list, tuple)) or not {int}.issuperset(map(type, edge)):
        return False
    try:
        check_skeleton([edge], num_keypoints + 1)
    except ValueError:
        return False
    return True


def read_categories_leniently(
    coco: COCO, source: str
) -> tuple[dict[int, Category], dict[int, CheckedSkeleton], list[Finding]]:
    """Categories of a file, those with a broken skeleton without it.

    Args:
        coco: the readable entries of an annotation file.
        source: file name for messages.

    Returns:
        Categories and skeletons by id, and what is wrong with them.
    """
    annotations = defaultdict(list)
    for ann in coco.dataset['annotations']:
        annotations[ann['category_id']].append(ann)
    categories: dict[int, Category] = {}
    skeletons: dict[int, CheckedSkeleton] = {}
    refused: list[str] = []
    for raw in coco.dataset['categories']:
        own = annotations[raw['id']]
        try:
            categories |= read_categories([raw], own, source)
        except AnnotationFormatError as error:
            refused.append(str(error).removeprefix(f'{source}: '))
            names = raw.get('keypoints')
            names = names if isinstance(names, list) else []
            plain = {**raw, 'skeleton': [], 'keypoints': names}
            categories |= read_categories([plain], own, source)
        num_keypoints = categories[raw['id']].num_keypoints
        skeletons[raw['id']] = check_edges(
            raw.get('skeleton'), num_keypoints, raw.get(BASE_KEY, 0)
        )
    findings = found('category refused', REFUSED, 'categories', refused)
    findings += _edge_findings(categories, skeletons)
    findings += _name_findings(coco.dataset['categories'])
    return categories, skeletons, findings


def _edge_findings(
    categories: dict[int, Category], skeletons: dict[int, CheckedSkeleton]
) -> list[Finding]:
    bad = [
        f'{label(categories[key])} edge {edge} (K = {categories[key].num_keypoints})'
        for key, skeleton in skeletons.items()
        for edge in skeleton.bad_edges
    ]
    shifted = [
        label(categories[k])
        for k, s in skeletons.items()
        if s.base == 1 and s.is_certain
    ]
    unsure = [
        f'{label(categories[k])}, read from {s.base}'
        for k, s in skeletons.items()
        if not s.is_certain
    ]
    empty = [label(categories[k]) for k, s in skeletons.items() if not s.edges]
    return [
        *found('skeleton edge out of range', REFUSED, 'edges', bad),
        *found('skeleton counts from 1', NOTE, 'categories', shifted),
        *found('skeleton fits 0 and 1', NOTE, 'categories', unsure),
        *found('no skeleton', NOTE, 'categories', empty),
    ]


def _name_findings(raw_categories: Sequence[dict]) -> list[Finding]:
    ids_of: dict[str, list[int]] = defaultdict(list)
    for raw in raw_categories:
        ids_of[str(raw.get('name', raw['id']))].append(raw['id'])
    same_name = [
        f'{name!r} (ids {", ".join(map(str, ids))})'
        for name, ids in ids_of.items()
        if len(set(ids)) > 1
    ]
    ids = [raw['id'] for raw in raw_categories]
    twice = sorted({key for key in ids if ids.count(key) > 1})
    return [
        *found('categories of the same name', NOTE, 'names', same_name),
        *found('category id used twice', GAP, 'categories', twice),
    ]
