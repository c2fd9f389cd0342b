"""Which annotations are usable: empties are dropped and counted, never made up."""

from __future__ import annotations

import posixpath
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from pycocotools.coco import COCO

from ..structures.geometry import clean_box
from .categories import Category

MAX_COORDINATE = np.finfo(np.float32).max
"""Keypoints are kept as float32; beyond this they would be infinite."""


@dataclass(frozen=True)
class Instance:
    """One usable annotation.

    Attributes:
        ann_id: annotation id.
        img_id: image id, the first of its file.
        category_id: category id.
        file_name: image file relative to the image folder.
        bbox: clean box (x, y, w, h) in source pixels.
        keypoints: (x, y) in source pixels, float32 (K, 2); meaningless where invisible.
        is_visible: labelled with v > 0, bool (K,).
        visibility: COCO's v, 1 hidden, 2 seen; 0 for any other number, uint8 (K,).
        twin_of: annotation id of which this is a second record, which stands in where
            the instance is a query; None for the annotation itself.
    """

    ann_id: int
    img_id: int
    category_id: int
    file_name: str
    bbox: np.ndarray
    keypoints: np.ndarray
    is_visible: np.ndarray
    visibility: np.ndarray
    twin_of: int | None = None


@dataclass
class FilterReport:
    """How many annotations were kept, and why the others were not.

    Attributes:
        num_total: annotations of the file.
        num_kept: the usable ones.
        dropped_ids: ids of the others by reason.
    """

    num_total: int = 0
    num_kept: int = 0
    dropped_ids: dict[str, list[int]] = field(default_factory=dict)

    @property
    def dropped(self) -> Counter[str]:
        """Number of dropped annotations by reason."""
        return Counter({reason: len(ids) for reason, ids in self.dropped_ids.items()})

    def __str__(self) -> str:
        text = f'kept {self.num_kept:,} of {self.num_total:,} annotations'
        if not self.dropped:
            return text
        reasons = ', '.join(f'{n:,} {why}' for why, n in self.dropped.most_common())
        return f'{text}: {reasons}'


def select_instances(
    coco: COCO, categories: dict[int, Category]
) -> tuple[list[Instance], FilterReport]:
    """Keep the usable annotations, in the official protocol's order.

    The order is that of the COCO API: the file's images, and of each image its
    annotations. The official evaluation draw counts instances in this order.

    Args:
        coco: an indexed annotation file.
        categories: its categories by id.

    Returns:
        The usable instances and the count of the others by reason.
    """
    report = FilterReport(num_total=len(coco.dataset['annotations']))
    instances, seen, first_ids = [], set(), {}
    for img_id, image in coco.imgs.items():
        # one file under several ids is one picture: never support and query at once
        name = posixpath.normpath(image['file_name'].replace('\\', '/'))
        first_id = first_ids.setdefault(name, img_id)
        for ann in coco.imgToAnns.get(img_id, ()):
            reason = _reason_to_drop(ann, image, categories)
            if reason is None and ann['id'] in seen:
                reason = 'annotation id used before'
            if reason is None:
                seen.add(ann['id'])
                instances.append(_make_instance(ann, image, first_id))
            else:
                report.dropped_ids.setdefault(reason, []).append(ann['id'])
    unlisted = [
        ann['id']
        for ann in coco.dataset['annotations']
        if ann['image_id'] not in coco.imgs
    ]
    if unlisted:
        report.dropped_ids['image not listed in the file'] = unlisted
    report.num_kept = len(instances)
    return instances, report


def _reason_to_drop(
    ann: dict, image: dict, categories: dict[int, Category]
) -> str | None:
    if ann['category_id'] not in categories:
        return 'category not listed in the file'
    if ann.get('iscrowd', 0):
        return 'crowd'
    num_keypoints = categories[ann['category_id']].num_keypoints
    return _keypoints_problem(ann, num_keypoints) or _bbox_problem(ann, image)


def _keypoints_problem(ann: dict, num_keypoints: int) -> str | None:
    raw = ann.get('keypoints')
    if not raw:
        return 'no keypoints'
    if not isinstance(raw, list) or len(raw) != 3 * num_keypoints:
        return 'wrong number of keypoints'
    triplets = np.asarray(raw, dtype=np.float64).reshape(-1, 3)
    if not (np.abs(triplets) <= MAX_COORDINATE).all():  # nor NaN
        return 'keypoint not finite'
    if ann.get('num_keypoints', 1) == 0:
        return 'num_keypoints is 0'
    if not (triplets[:, 2] > 0).any() or triplets.max() == 0:
        return 'no visible keypoint'
    return None


def _bbox_problem(ann: dict, image: dict) -> str | None:
    raw = ann.get('bbox')
    if not raw:
        return 'no bounding box'
    if len(raw) != 4 or not np.isfinite(np.asarray(raw, dtype=np.float64)).all():
        return 'malformed bounding box'
    size = (image['width'], image['height'])
    area = ann.get('area')
    if clean_box(raw, size) is not None:
        is_good = area is None or area > 0
        return None if is_good else '"area" not above 0, beside a good bounding box'
    if raw[2] < 0 or raw[3] < 0:
        return 'bounding box of negative size'
    if raw[2] <= 1 or raw[3] <= 1:
        return 'bounding box of zero area'
    return 'bounding box outside the image'


def _make_instance(ann: dict, image: dict, img_id: int) -> Instance:
    size = (image['width'], image['height'])
    triplets = np.asarray(ann['keypoints'], dtype=np.float64).reshape(-1, 3)
    return Instance(
        ann_id=int(ann['id']),
        img_id=int(img_id),
        category_id=int(ann['category_id']),
        file_name=str(image['file_name']),
        bbox=clean_box(ann['bbox'], size, ann.get('area')),
        keypoints=triplets[:, :2].astype(np.float32),
        is_visible=triplets[:, 2] > 0,
        visibility=np.where(np.isin(triplets[:, 2], (1, 2)), triplets[:, 2], 0).astype(
            np.uint8
        ),
    )
