"""Boxes of the queries, from a COCO file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...datasets.annotation_file import read_annotation_file
from ...errors import ConfigError, ImageDecodeError
from .path_index import PathIndex


class QueryBoxes:
    """Boxes by picture.

    Args:
        path: COCO file; keypoints are not looked at.
        category: id or name of the boxes to use; None takes all.

    Raises:
        MissingDataError: there is no such file.
        AnnotationFormatError: it is no COCO file.
        ConfigError: there is no box of that category.
    """

    def __init__(self, path: str | Path, category: str | None = None) -> None:
        self.path = path
        coco = read_annotation_file(path)
        kinds = {cat['id']: str(cat.get('name')) for cat in coco.dataset['categories']}
        self._boxes: dict[str, list] = {}
        for ann in coco.dataset['annotations']:
            kind = ann['category_id']
            is_wanted = category is None or category in (str(kind), kinds.get(kind))
            if is_wanted and ann.get('bbox') and ann['image_id'] in coco.imgs:
                name = coco.imgs[ann['image_id']]['file_name'].replace('\\', '/')
                self._boxes.setdefault(name, []).append(ann['bbox'])
        if not self._boxes:
            raise ConfigError(f'--boxes {path}: no box of category {category!r}')
        self._names = PathIndex(self._boxes)

    def find(self, name: str) -> np.ndarray:
        """Boxes (x, y, w, h) of a picture, (N, 4).

        Args:
            name: path, see :meth:`~.path_index.PathIndex.find`.

        Raises:
            ImageDecodeError: the file has no box for it.
        """
        known = self._names.find(name)
        if known is None:
            raise ImageDecodeError(f'has no box in {self.path}')
        return np.array(self._boxes[known], dtype=np.float64)
