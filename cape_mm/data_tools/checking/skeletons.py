"""Skeletons of an annotation file: which base they count from, what does not fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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
from .findings import GAP, NOTE, REFUSED, Finding, found, label


def read_categories_leniently(
    coco: COCO, source: str
) -> tuple[dict[int, Category], list[Finding]]:
    """Categories of a file, those with a broken skeleton without it.

    Args:
        coco: the readable entries of an annotation file.
        source: file name for messages.

    Returns:
        Categories by id, and what is wrong with them.
    """
    annotations = defaultdict(list)
    for ann in coco.dataset['annotations']:
        annotations[ann['category_id']].append(ann)
    categories: dict[int, Category] = {}
    refused, bad, shifted, unsure, empty = [], [], [], [], []
    for raw in coco.dataset['categories']:
        own, edges = annotations[raw['id']], raw.get('skeleton') or []
        try:
            categories |= read_categories([raw], own, source)
        except AnnotationFormatError as error:
            refused.append(str(error).removeprefix(f'{source}: '))
            names = raw.get('keypoints')
            names = names if isinstance(names, list) else []
            plain = {**raw, 'skeleton': [], 'keypoints': names}
            categories |= read_categories([plain], own, source)
        category = categories[raw['id']]
        name, num_keypoints = label(category), category.num_keypoints
        wrong = _bad_edges(edges, num_keypoints, raw.get(BASE_KEY))
        bad += [f'{name} edge {edge} (K = {num_keypoints})' for edge in wrong]
        if not category.skeleton:
            empty.append(name)
        elif certain_base(edges, num_keypoints) is None:
            unsure.append(f'{name}, read from {raw[BASE_KEY]}')
        elif raw[BASE_KEY] == 1:
            shifted.append(name)
    return categories, [
        *found('category refused', REFUSED, 'categories', refused),
        *found('skeleton edge out of range', REFUSED, 'edges', bad),
        *found('skeleton counts from 1', NOTE, 'categories', shifted),
        *found('skeleton fits 0 and 1', NOTE, 'categories', unsure),
        *found('no skeleton', NOTE, 'categories', empty),
        *_name_findings(coco.dataset['categories']),
    ]


def _bad_edges(edges: Any, num_keypoints: int, base: int | None) -> list:
    """Edges that the reader refuses each for itself."""
    bad = []
    for edge in edges if isinstance(edges, list) else [edges]:
        try:
            zero_based_skeleton([edge], num_keypoints, base)
        except (TypeError, ValueError):
            bad.append(edge)
    return bad


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
