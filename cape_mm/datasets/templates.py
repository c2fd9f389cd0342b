"""Keypoint templates: a support without an image, given from outside.

The file is JSON::

    {"source": "drawn by hand after the definitions of the categories",
     "from_annotations": false,
     "templates": {"72": {"keypoints": [[0.5, 0.1], null, [0.4, 0.15]],
                          "skeleton": [[0, 2]]}}}

Convention:
    - templates go by category id, as text because JSON's keys are
    - a keypoint is (x, y) in [0, 1] of the square crop, the box's longer side times
      1.25: (0, 0) is its left top, (1, 1) its right bottom corner; ``null`` is a
      keypoint that the template does not have
    - ``skeleton``, 0-based pairs, replaces that of the annotation file; optional
    - ``from_annotations`` says whether annotated instances were looked at. Such
      templates are refused, since the evaluated categories are meant to be new: a mean
      shape of test annotations is no zero-shot support.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import AnnotationFormatError, ConfigError, MissingDataError
from ..structures.geometry import BOX_PADDING
from ..structures.skeleton import check_skeleton
from ..utils.json_file import read_json
from .categories import Category
from .transforms import InstanceCrop, PackInstance, WarpInstance

PICTURE_SIDE = 64
PICTURE_LEVEL = 127
REMEDY = 'The format is described in cape_mm/datasets/templates.py.'
TEMPLATE_ID = -1
"""Annotation and image id of a template: it has none."""

KEPT_TRANSFORMS = (InstanceCrop, WarpInstance, PackInstance)
"""What a template goes through: no image is read, and it stays canonical."""


@dataclass(frozen=True)
class Template:
    """A canonical pose of one category.

    Attributes:
        category_id: the category's id.
        keypoints: (x, y) in [0, 1] of the square crop, float64 (K, 2); 0 where absent.
        is_visible: keypoints that the template has, bool (K,).
        skeleton: 0-based pairs, or None for those of the annotation file.
    """

    category_id: int
    keypoints: np.ndarray
    is_visible: np.ndarray
    skeleton: tuple[tuple[int, int], ...] | None = None


def read_template_file(
    path: str | Path, categories: Mapping[int, Category]
) -> dict[int, Template]:
    """Read the templates of some categories.

    Args:
        path: the JSON file.
        categories: the categories that need one, by id; templates of others are
            ignored.

    Returns:
        Templates by category id.

    Raises:
        MissingDataError: the file does not exist, or a category has no template.
        AnnotationFormatError: the file is not as described above, or a template has
            another number of keypoints than its category.
        ConfigError: the templates were made from annotations.
    """
    content = read_json(path, 'a template file', REMEDY)
    raw, is_derived = content.get('templates'), content.get('from_annotations')
    if not content.get('source') or not isinstance(raw, dict):
        raise AnnotationFormatError(
            f'{path}: a template file has "source" (where the templates come from) and '
            f'"templates" (an object by category id). {REMEDY}'
        )
    if is_derived is not False:
        raise ConfigError(
            f'{path} says from_annotations={is_derived!r} (source: '
            f'{content["source"]!r}). A template of an evaluated category has to come '
            f'from outside, or the result would not be zero-shot.'
        )
    missing = [str(i) for i in categories if str(i) not in raw]
    if missing:
        raise MissingDataError(
            f'{path} has no template for the categories {", ".join(missing)}. Add '
            f'them, or leave the categories out with exclude_categories.'
        )
    templates = {}
    for key, category in categories.items():
        try:
            templates[key] = _read_template(raw[str(key)], category)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AnnotationFormatError(
                f'{path}: the template of category {key} ({category.name!r}) can not '
                f'be read ({type(error).__name__}: {error}). {REMEDY}'
            ) from error
    return templates


def _read_template(raw: Mapping, category: Category) -> Template:
    points, skeleton = raw['keypoints'], raw.get('skeleton')
    if len(points) != category.num_keypoints:
        raise ValueError(
            f'{len(points)} keypoints, but the category has {category.num_keypoints}'
        )
    is_visible = np.array([point is not None for point in points])
    keypoints = np.array([point or (0.0, 0.0) for point in points], np.float64)
    is_inside = (keypoints >= 0) & (keypoints <= 1)  # NaN is not
    if keypoints.shape != (len(points), 2) or not is_inside.all():
        raise ValueError('a keypoint is (x, y) in [0, 1] of the square crop, or null')
    if not is_visible.any():
        raise ValueError('all of its keypoints are null')
    if skeleton is not None:
        check_skeleton(skeleton, category.num_keypoints)
        skeleton = tuple((int(start), int(end)) for start, end in skeleton)
    return Template(category.id, keypoints, is_visible, skeleton)


def load_template(
    template: Template, transforms: Sequence[Callable[[dict], dict]]
) -> dict:
    """Load a template as the support of an episode, on a uniform picture.

    The box is the picture's middle, such that the padded square is the whole picture;
    the copy-support floor then pastes the template as it would any other support.

    Args:
        template: the template.
        transforms: those of an instance.

    Returns:
        What ``PackInstance`` returns for any instance.
    """
    side = PICTURE_SIDE / BOX_PADDING
    corner = (PICTURE_SIDE - side) / 2
    results = dict(
        img=np.full((PICTURE_SIDE, PICTURE_SIDE, 3), PICTURE_LEVEL, np.uint8),
        img_path=f'template of category {template.category_id}',
        ann_id=TEMPLATE_ID,
        img_id=TEMPLATE_ID,
        bbox=np.array([corner, corner, side, side]),
        keypoints_orig=(template.keypoints * PICTURE_SIDE).astype(np.float32),
        is_visible=template.is_visible.copy(),
    )
    for transform in transforms:
        if isinstance(transform, KEPT_TRANSFORMS):
            results = transform(results)
    return results
