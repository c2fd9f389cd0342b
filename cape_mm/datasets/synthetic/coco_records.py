"""COCO-keypoint records of the synthetic pictures, in MP-100's own fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .categories import ObjectCategory, make_category
from .rendering import Instance, render_picture
from .spec import EMPTY_KINDS, SyntheticSpec

Record = dict[str, Any]

_IDS_PER_CATEGORY = 100_000


def write_category(
    spec: SyntheticSpec, category_id: int, image_root: Path
) -> dict[str, list[Record]]:
    """Draw all pictures of a category and return its records.

    Args:
        spec: the data set.
        category_id: the category, from 1.
        image_root: folder that the category's folder is created in.

    Returns:
        The lists ``images``, ``annotations`` and ``categories`` of a COCO file.

    Raises:
        OSError: a picture cannot be written.
    """
    category = make_category(category_id, spec.seed)
    folder = image_root / _folder_name(category)
    folder.mkdir(parents=True)
    images: list[Record] = []
    annotations: list[Record] = []
    for index, num_instances in enumerate(_instances_per_picture(spec, category_id)):
        rng = np.random.default_rng([spec.seed, category_id, index + 1])
        picture = render_picture(category, rng, spec.image_size, num_instances)
        path = folder / f'{index:05d}.jpg'
        quality = int(rng.integers(70, 97))
        if not cv2.imwrite(
            str(path), picture.image, [cv2.IMWRITE_JPEG_QUALITY, quality]
        ):
            raise OSError(
                f'{path}: OpenCV could not write the picture; is the disk full?'
            )
        image_id = category_id * _IDS_PER_CATEGORY + index
        height, width = picture.image.shape[:2]
        file_name = f'{folder.name}/{path.name}'
        images.append(
            dict(id=image_id, file_name=file_name, width=width, height=height)
        )
        for instance in picture.instances:
            annotation_id = category_id * _IDS_PER_CATEGORY + len(annotations)
            ids = dict(id=annotation_id, image_id=image_id, category_id=category_id)
            annotations.append({**ids, **_instance_fields(instance)})
    categories = [_category_record(category)]
    return dict(images=images, annotations=annotations, categories=categories)


def make_empties(
    spec: SyntheticSpec, split: str, annotations: list[Record]
) -> list[Record]:
    """Empty annotations of every kind: copies of usable ones with a single defect.

    Args:
        spec: the data set.
        split: 'train', 'val' or 'test'.
        annotations: the usable annotations of the split; left unchanged.

    Returns:
        The additional annotations, with ids that follow on the largest one.
    """
    rng = np.random.default_rng([spec.seed, 0, 2, len(annotations)])
    next_id = max(a['id'] for a in annotations) + 1
    empties = []
    for kind, count in spec.num_empties(split).items():
        for _ in range(count):
            source = annotations[int(rng.integers(len(annotations)))]
            empty = {**source, 'id': next_id + len(empties)}
            empties.append(_damage(empty, kind, along_x=len(empties) % 2 == 0))
    return empties


def _damage(annotation: Record, kind: str, along_x: bool) -> Record:
    """The annotation with the one defect that ``kind`` names."""
    assert kind in EMPTY_KINDS, f'unknown kind {kind!r}'
    x, y, w, h = annotation['bbox']
    num_values = len(annotation['keypoints'])
    if kind == 'no_visible_keypoint':
        return {**annotation, 'keypoints': [0.0] * num_values}
    if kind == 'zero_num_keypoints':
        return {**annotation, 'num_keypoints': 0}
    if kind == 'zero_area_bbox':
        flat = [x, y, 0.0, h] if along_x else [x, y, w, 0.0]
        return {**annotation, 'bbox': flat, 'area': 0.0}
    if kind == 'negative_size_bbox':
        return {**annotation, 'bbox': [x, y, -w, -h]}
    dropped = 'bbox' if kind == 'missing_bbox' else 'keypoints'
    return {key: value for key, value in annotation.items() if key != dropped}


def _instances_per_picture(spec: SyntheticSpec, category_id: int) -> list[int]:
    """1 or 2 for every picture of a category; they sum to its instances.

    With a share s of double pictures, n instances need n / (1 + s) pictures; the
    fraction of a double picture that remains is rounded at random.
    """
    rng = np.random.default_rng([spec.seed, 0, 3, category_id])
    total, share = spec.instances_per_category, spec.double_share
    num_doubles = int(total * share / (1 + share) + rng.random())
    num_doubles = min(num_doubles, total // 2)
    counts = [2] * num_doubles + [1] * (total - 2 * num_doubles)
    return [int(c) for c in rng.permutation(counts)]


def _folder_name(category: ObjectCategory) -> str:
    """Not the category's name, as in MP-100: no reader may rely on that."""
    return f'{category.name}_body'


def _instance_fields(instance: Instance) -> Record:
    keypoints = np.round(instance.keypoints, 2)
    return dict(
        bbox=[float(side) for side in instance.bbox],
        area=float(instance.area),
        iscrowd=0,
        num_keypoints=int((keypoints[:, 2] > 0).sum()),
        keypoints=[float(value) for value in keypoints.ravel()],
    )


def _category_record(category: ObjectCategory) -> Record:
    return dict(
        id=category.id,
        name=category.name,
        supercategory=category.family,
        keypoints=category.keypoint_names,
        skeleton=category.skeleton,
    )
