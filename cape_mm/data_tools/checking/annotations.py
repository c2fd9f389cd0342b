"""Annotations: which are dropped and why, and what is odd about the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from pycocotools.coco import COCO

from ...datasets.categories import Category
from .findings import GAP, NOTE, Finding, found

TOLERANCE = 1.0
"""Pixels by which a keypoint may leave its box: boxes are often cut to whole pixels."""

FEW_VISIBLE = 3

EMPTY_REASONS = {
    *('no keypoints', 'no visible keypoint', 'num_keypoints is 0', 'no bounding box'),
    *('bounding box of negative size', 'bounding box of zero area', 'crowd'),
}
"""Reasons that the official protocol has, too: nothing was there to be lost."""


def drop_findings(dropped: dict[str, list[int]]) -> list[Finding]:
    """One finding per reason, what the official protocol drops as a note."""
    return [
        finding
        for reason, ids in dropped.items()
        for finding in found(
            f'dropped: {reason}',
            NOTE if reason in EMPTY_REASONS else GAP,
            'annotations',
            ids,
        )
    ]


def duplicate_id_findings(coco: COCO) -> list[Finding]:
    """Annotation ids that the file uses more than once."""
    seen: set[int] = set()
    twice: dict[int, None] = {}
    for ann in coco.dataset['annotations']:
        if ann['id'] in seen:
            twice[ann['id']] = None
        seen.add(ann['id'])
    return found('annotation id used twice', GAP, 'annotations', twice)


def crowded_image_findings(coco: COCO) -> list[Finding]:
    """Images with several instances: episodes must keep them apart."""
    counts = {key: len(coco.imgToAnns.get(key, ())) for key in coco.imgs}
    crowded = sorted(
        (key for key in counts if counts[key] > 1), key=lambda k: -counts[k]
    )
    items = [f'{counts[key]} in image {key}' for key in crowded]
    return found('several instances in one image', NOTE, 'images', items)


def geometry_findings(coco: COCO, categories: dict[int, Category]) -> list[Finding]:
    """Look at the numbers of all annotations whose keypoint list is complete."""
    by_category = defaultdict(list)
    for ann in coco.dataset['annotations']:
        category = categories.get(ann['category_id'])
        keypoints = ann.get('keypoints')
        if category is None or not keypoints or ann['image_id'] not in coco.imgs:
            continue
        if len(keypoints) == 3 * category.num_keypoints:
            by_category[category.id].append(ann)
    odd: dict[str, list[int]] = defaultdict(list)
    for anns in by_category.values():
        for kind, mask in _odd_masks(coco, anns).items():
            odd[kind] += [ann['id'] for ann, is_odd in zip(anns, mask) if is_odd]
    return [
        f for kind, ids in odd.items() for f in found(kind, NOTE, 'annotations', ids)
    ]


def _odd_masks(coco: COCO, anns: Sequence[dict]) -> dict[str, np.ndarray]:
    """What is odd about N annotations of one category, as masks (N,)."""
    triplets = np.array([ann['keypoints'] for ann in anns], dtype=np.float64)
    points = triplets.reshape(len(anns), -1, 3)  # (N, K, 3)
    xy, v = points[..., :2], points[..., 2]
    num_visible = (v > 0).sum(axis=1)
    is_hidden_but_placed = (v == 0) & (xy != 0).any(axis=2)
    stated = np.array([_stated_number(ann) for ann in anns])
    return {
        **_outside_masks(coco, anns, xy, v > 0),
        'v = 0 with non-zero coordinates': is_hidden_but_placed.any(axis=1),
        'v is none of 0, 1, 2': (~np.isin(v, (0, 1, 2))).any(axis=1),
        f'fewer than {FEW_VISIBLE} visible keypoints': (num_visible > 0)
        & (num_visible < FEW_VISIBLE),
        'num_keypoints is not the number of v > 0': (stated >= 0)
        & (stated != num_visible),
    }


def _outside_masks(
    coco: COCO, anns: Sequence[dict], xy: np.ndarray, is_visible: np.ndarray
) -> dict[str, np.ndarray]:
    """What lies outside what. A comparison with NaN, for no box, is never true.

    Args:
        coco: the indexed annotation file.
        anns: N annotations of one category.
        xy: their keypoints in pixels, (N, K, 2).
        is_visible: bool (N, K).
    """
    images = [coco.imgs[ann['image_id']] for ann in anns]
    sizes = np.array([(im['width'], im['height']) for im in images], dtype=np.float64)
    boxes = np.array([_box_or_nan(ann) for ann in anns], dtype=np.float64)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    leaves_image = ((low < 0) | (high > sizes)).any(axis=1)
    off_box = (xy < low[:, None] - TOLERANCE) | (xy > high[:, None] + TOLERANCE)
    off_image = (xy < 0) | (xy > sizes[:, None])
    return {
        'box leaves the image': leaves_image & (boxes[:, 2:] > 0).all(axis=1),
        'visible keypoint outside its box': _any(off_box, is_visible),
        'visible keypoint outside the image': _any(off_image, is_visible),
    }


def _any(is_outside: np.ndarray, is_visible: np.ndarray) -> np.ndarray:
    """Whether a visible keypoint is outside in x or y: (N, K, 2), (N, K) -> (N,)."""
    return (is_outside.any(axis=2) & is_visible).any(axis=1)


def _box_or_nan(ann: dict) -> list[float]:
    box = ann.get('bbox')
    return box if box and len(box) == 4 else [np.nan] * 4


def _stated_number(ann: dict) -> int:
    number = ann.get('num_keypoints')
    return number if type(number) is int else -1
