"""COCO keypoint JSON: https://cocodataset.org/#format-data.

Written files hold ``images``, ``annotations`` and ``categories``; an annotation of a
prediction also has ``score`` and ``keypoint_scores``, so the list of annotations serves
``COCO.loadRes`` as well. Skeletons count from 0, as in MP-100, and say so in
``skeleton_base``; CVAT and SLEAP want COCO's own counting from 1 and have formats of
their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.annotation_file import read_annotation_file
from ..datasets.categories import BASE_KEY, GUESSED_BASE, Category, read_categories
from ..errors import ConfigError
from .files import expecting, open_for_writing, rounded, shorten, write_list
from .labels import (
    LabelledInstance,
    LabelledPicture,
    LabelSet,
    default_names,
    make_picture,
    plain,
)


def read_coco(
    path: str | Path, category: str | None = None, skeleton_base: int | None = None
) -> LabelSet:
    """Read the pictures of one category.

    Annotations that training drops, too, for their number of keypoints or a malformed
    box are left out and counted.

    Args:
        path: the JSON file.
        category: id or name; None where only one category has keypoints.
        skeleton_base: number of the first keypoint in the skeletons; None finds out.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no COCO keypoint file.
        ConfigError: the category is not there, or has to be named.
    """
    coco = read_annotation_file(path, any_image=True)
    anns = [ann for ann in coco.dataset['annotations'] if ann.get('keypoints')]
    raws = coco.dataset['categories']
    if skeleton_base is not None:
        raws = [raw | {BASE_KEY: skeleton_base} for raw in raws]
    chosen = choose_category(
        read_categories(raws, anns, str(path)), anns, category, path
    )
    own: dict[int, list[LabelledInstance]] = {}
    left_out = []
    for ann in anns:
        if ann['category_id'] == chosen.id and not ann.get('iscrowd'):
            with expecting('COCO', path):
                instance = _read_instance(ann, chosen.num_keypoints)
            if instance is None:
                left_out.append(ann['id'])
            else:
                own.setdefault(ann['image_id'], []).append(instance)
    pictures = [
        make_picture(image['file_name'], _size_of(image), own[image['id']])
        for image in coco.dataset['images']
        if image['id'] in own
    ]
    notes = []
    if left_out:
        notes.append(
            f'{len(left_out)} annotations left out, without {chosen.num_keypoints} '
            f'keypoints (x, y, v) or with a malformed box: {shorten(left_out)}'
        )
    if chosen.is_base_guessed and skeleton_base is None:
        notes.append(GUESSED_BASE)
    names = chosen.keypoint_names or default_names(chosen.num_keypoints)
    skeleton = chosen.skeleton
    return LabelSet(chosen.name, names, skeleton, pictures, tuple(notes))


def choose_category(
    categories: dict[int, Category],
    anns: Sequence[dict],
    wanted: str | None,
    path: str | Path,
) -> Category:
    """The category that is asked for, by id or else by name, or the only one.

    Raises:
        ConfigError: it is not there, or has to be named.
    """
    used = {ann['category_id'] for ann in anns}
    found = [cat for key, cat in categories.items() if key in used]
    listed = ', '.join(f'{cat.id} {cat.name!r}' for cat in found)
    if not found:
        raise ConfigError(f'{path}: no annotation has keypoints: mark some')
    if wanted is not None:
        by_id = [cat for cat in found if wanted == str(cat.id)]
        found = by_id or [cat for cat in found if wanted == plain(cat.name)]
    if len(found) != 1:
        reason = 'several categories have' if found else f'no category {wanted!r} has'
        raise ConfigError(
            f'{path}: {reason} keypoints; name one by id or name: {listed}'
        )
    return found[0]


def _size_of(image: dict) -> tuple[int, int] | None:
    """Size of a picture where the file tells it."""
    sides = image.get('width'), image.get('height')
    if all(isinstance(side, (int, float)) and side > 0 for side in sides):
        return int(sides[0]), int(sides[1])
    return None


def _read_instance(ann: dict, num_keypoints: int) -> LabelledInstance | None:
    """None where it has another number of keypoints, or its box is none."""
    values = np.array(ann['keypoints'], dtype=np.float64)  # null becomes NaN
    box = ann.get('bbox') or None
    box = None if box is None else np.array(box, dtype=np.float64)
    is_box = box is None or (box.shape == (4,) and np.isfinite(box).all())
    if len(values) != 3 * num_keypoints or not is_box:
        return None
    triplets = values.reshape(-1, 3)
    is_labelled = (triplets[:, 2] > 0) & np.isfinite(triplets).all(axis=1)
    visibility = np.where(is_labelled, np.where(triplets[:, 2] == 1, 1, 2), 0)
    scores = ann.get('keypoint_scores')
    if scores is not None:
        scores = np.array(scores, dtype=np.float64)
        scores = scores if scores.shape == (num_keypoints,) else None
    points = np.where(is_labelled[:, None], triplets[:, :2], 0.0)
    return LabelledInstance(points, visibility, scores, box)


def write_coco(
    labels: LabelSet, path: str | Path, skeleton_base: int = 0, **extra: Any
) -> list[Path]:
    """Write a COCO file; image and annotation ids count from 1.

    Args:
        labels: what to write.
        path: the file.
        skeleton_base: number of the first keypoint in the skeleton.
        extra: further keys of every annotation.

    Raises:
        ConfigError: the file can't be written.
    """
    counting = {BASE_KEY: 0} if skeleton_base == 0 else {}
    category = dict(
        id=1,
        name=labels.category,
        supercategory='',
        keypoints=list(labels.keypoint_names),
        skeleton=[[a + skeleton_base, b + skeleton_base] for a, b in labels.skeleton],
        **counting,
    )
    parts = dict(
        images=(_image_record(i, p) for i, p in enumerate(labels.pictures, start=1)),
        annotations=(record | extra for record in annotation_records(labels)),
        categories=[category],
    )
    with open_for_writing(path) as file:
        for start, (name, records) in zip(('{', ',\n', ',\n'), parts.items()):
            file.write(f'{start}"{name}": ')
            write_list(file, records)
        file.write('}\n')
    return [Path(path)]


def write_sleap(labels: LabelSet, path: str | Path) -> list[Path]:
    """Write a COCO file that SLEAP imports (File > Import > COCO dataset).

    SLEAP's own .slp needs its libraries, which are heavy. SLEAP takes a skeleton for
    one that counts from 0 if no edge leads to the last keypoint, and then draws its
    edges one keypoint too far; sleap-io never does.

    Raises:
        ConfigError: the file can't be written.
    """
    return write_coco(labels, path, skeleton_base=1)


def _image_record(image_id: int, picture: LabelledPicture) -> dict[str, Any]:
    """COCO's entry for a picture; a video's frame also names video and frame."""
    width, height = picture.size
    record = dict(id=image_id, file_name=picture.name, width=width, height=height)
    if picture.frame is not None:
        record.update(video=picture.file_name, frame=picture.frame)
    return record


def annotation_records(labels: LabelSet) -> Iterator[dict[str, Any]]:
    """COCO's entries for all instances."""
    ann_id = 0
    for image_id, picture in enumerate(labels.pictures, start=1):
        for instance in picture.instances:
            ann_id += 1
            yield dict(id=ann_id, image_id=image_id) | _annotation_record(instance)


def _annotation_record(instance: LabelledInstance) -> dict[str, Any]:
    box = rounded(instance.box())
    is_labelled = instance.visibility > 0
    points = np.where(is_labelled[:, None], instance.keypoints, 0.0)
    triplets = [
        value
        for point, v in zip(points, instance.visibility)
        for value in (*rounded(point), int(v))
    ]
    record = dict(
        category_id=1,
        keypoints=triplets,
        num_keypoints=int(is_labelled.sum()),
        bbox=box,
        area=round(box[2] * box[3], 3),
        iscrowd=0,
    )
    if instance.confidence is not None:
        record['score'] = round(instance.score, 4)
        record['keypoint_scores'] = rounded(instance.confidence, 4)
    return record
