"""What annotation files offer: read, filtered and indexed, without any image."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pycocotools.coco import COCO

from .annotation_file import read_annotation_files
from .categories import Category, read_categories
from .instance_filters import FilterReport, Instance, select_instances

InstanceIds = list[tuple[int, int]]
"""Annotation id and image id of the instances of a category."""


@dataclass
class AnnotationIndex:
    """Usable annotations, by id and by category.

    Attributes:
        source: the annotation files, for messages.
        categories: by id, in the files' order.
        instances: the usable annotations, in the official protocol's order.
        filter_report: what became of all annotations.
    """

    source: str
    categories: dict[int, Category]
    instances: list[Instance]
    filter_report: FilterReport

    def __post_init__(self) -> None:
        self._by_id = {instance.ann_id: instance for instance in self.instances}

    @classmethod
    def read(
        cls,
        paths: Sequence[str | os.PathLike],
        include: Collection[int | str] | None = None,
        exclude: Collection[int | str] | None = None,
        image_folder: str | os.PathLike | None = None,
    ) -> AnnotationIndex:
        """Read files, see :func:`~.annotation_file.read_annotation_files`."""
        coco = read_annotation_files(paths, include, exclude, image_folder)
        return cls.build(coco, ' + '.join(map(str, paths)))

    @classmethod
    def build(
        cls,
        coco: COCO,
        source: str,
        categories: Mapping[int, Category] | None = None,
    ) -> AnnotationIndex:
        """Index what was read.

        Args:
            coco: the content of annotation files.
            source: their names, for messages.
            categories: instead of those that the content describes.

        Raises:
            AnnotationFormatError: a category's description makes no sense.
        """
        content = coco.dataset
        if categories is None:
            categories = read_categories(
                content['categories'], content['annotations'], source
            )
        instances, report = select_instances(coco, categories)
        return cls(source, dict(categories), instances, report)

    def __len__(self) -> int:
        return len(self.instances)

    def __getitem__(self, ann_id: int) -> Instance:
        """The usable annotation with this id.

        Raises:
            KeyError: the id is unknown, or the annotation was filtered out.
        """
        if ann_id not in self._by_id:
            raise KeyError(
                f'annotation {ann_id} is not among the {len(self)} usable instances of '
                f'{self.source}: the episode was drawn from another file, or the '
                f'annotation is empty'
            )
        return self._by_id[ann_id]

    def __contains__(self, ann_id: int) -> bool:
        return ann_id in self._by_id

    def by_category(
        self, left_out: Collection[str] = frozenset()
    ) -> dict[int, InstanceIds]:
        """Instances of every category, also of those that have none.

        Args:
            left_out: image files whose instances are left out.
        """
        pools: dict[int, InstanceIds] = {key: [] for key in self.categories}
        for inst in self.instances:
            if inst.file_name not in left_out:
                pools[inst.category_id].append((inst.ann_id, inst.img_id))
        return pools
