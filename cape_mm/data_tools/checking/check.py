"""The check: one annotation file after the other, every image once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...datasets.categories import Category
from ...datasets.instance_filters import Instance, select_instances
from ...errors import ConfigError, MissingDataError
from .annotations import (
    crowded_image_findings,
    drop_findings,
    duplicate_id_findings,
    geometry_findings,
)
from .decoding import decode_images
from .findings import GAP, REFUSED, Finding, found
from .images import ImageFile, collect_images, image_findings
from .locating import find_annotation_files, find_image_folder, find_overlaps
from .reading import ReadFile, read_leniently
from .report import CategoryRow, DatasetReport, FileReport
from .skeletons import CheckedSkeleton, read_categories_leniently
from .sufficiency import Pools

PathLike = str | os.PathLike


def check_dataset(
    ann_files: PathLike | Sequence[PathLike],
    image_folder: PathLike | None = None,
    num_shots: int = 1,
    num_queries: int = 15,
    decode: bool = False,
    num_workers: int | None = None,
) -> DatasetReport:
    """Check annotation files in COCO-keypoint JSON, and the images that they name.

    Entries that can not be read are reported and left out, so that one run finds all.

    Args:
        ann_files: one annotation file or several, or a data root: all annotation files
            in it are checked, and JSON files of another kind are left aside.
        image_folder: what the files' ``file_name`` are relative to; None for the place
            that :func:`~.locating.find_image_folder` tells.
        num_shots: supports per episode.
        num_queries: queries per episode; a category needs enough instances for both.
        decode: decode every image and compare its size with the JSON.
        num_workers: processes that decode; None for one per available core.

    Returns:
        The report, with ``exit_code``, ``format_table()`` and ``to_dict()``.

    Raises:
        ConfigError: a number is below 1, or no file is given.
        MissingDataError: the data root or the image folder does not exist.
        ImageDecodeError: a decoding process died.
    """
    _check_arguments(num_shots, num_queries, num_workers, image_folder)
    paths, is_root = _list_files(ann_files)
    report = DatasetReport(num_shots, num_queries, is_decoded=decode)
    images: dict[str, ImageFile] = {}
    for path in paths:
        content = read_leniently(path)
        if content.is_other_json and is_root:
            report.skipped.append(path)
            continue
        folder = str(image_folder or find_image_folder(path))
        known = set(images)
        checked = _FileCheck(content, folder, images)
        if decode:
            new = [im for key, im in images.items() if key not in known]
            decode_images([im for im in new if im.problem is None], num_workers)
        report.files.append(checked.finish(num_shots, num_queries))
    if not report.files:
        raise MissingDataError(f'no annotation file among {", ".join(map(str, paths))}')
    report.images = list(images.values())
    report.findings = image_findings(report.images) + _overlap_findings(report.files)
    return report


def _check_arguments(
    num_shots: int,
    num_queries: int,
    num_workers: int | None,
    image_folder: PathLike | None,
) -> None:
    numbers = dict(
        num_shots=num_shots, num_queries=num_queries, num_workers=num_workers
    )
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ConfigError(f'check_dataset: {name} must be at least 1, got {number}')
    if image_folder is not None and not os.path.isdir(image_folder):
        raise MissingDataError(f'image folder not found: {image_folder}')


def _list_files(ann_files: PathLike | Sequence[PathLike]) -> tuple[list[Path], bool]:
    """The files to check, and whether they were found in a data root."""
    if isinstance(ann_files, (str, os.PathLike)):
        if os.path.isfile(ann_files):
            return [Path(ann_files)], False
        return find_annotation_files(ann_files), True
    if not ann_files:
        raise ConfigError('check_dataset: give at least one annotation file')
    return [Path(path) for path in ann_files], False


class _FileCheck:
    """One annotation file between reading and reporting: images may be decoded."""

    def __init__(
        self, content: ReadFile, folder: str, images: dict[str, ImageFile]
    ) -> None:
        self.report = FileReport(content.path, folder, findings=list(content.findings))
        self.report.num_annotations = content.num_refused.get('annotations', 0)
        self.report.num_images = content.num_refused.get('images', 0)
        self.coco = content.coco
        self.images: dict[int, ImageFile] = {}
        if self.coco is None:
            return
        self.report.num_annotations += len(self.coco.dataset['annotations'])
        self.report.num_images += len(self.coco.dataset['images'])
        self.categories, self.skeletons, findings = read_categories_leniently(
            self.coco, content.path.name
        )
        self.report.findings += findings
        self.images = collect_images(self.coco, self.categories, folder, images)

    def finish(self, num_shots: int, num_queries: int) -> FileReport:
        """Count what is kept and available, and what can be drawn from it."""
        if self.coco is None:
            return self.report
        report, coco = self.report, self.coco
        instances, filtered = select_instances(coco, self.categories)
        report.num_kept = filtered.num_kept
        report.dropped = filtered.dropped_ids
        report.available_image_ids = {
            key for key, image in self.images.items() if image.is_available
        }
        available = [i for i in instances if i.img_id in report.available_image_ids]
        report.num_available = len(available)
        odd, num_visible = geometry_findings(coco, self.categories)
        report.findings += drop_findings(report.dropped)
        report.findings += duplicate_id_findings(coco)
        pools = Pools(instances, available, num_shots, num_queries)
        report.findings += pools.findings(self.categories)
        report.findings += self._gone_findings(instances, available)
        report.findings += odd + crowded_image_findings(coco)
        report.categories = self._rows(pools, num_visible)
        return report

    def _gone_findings(
        self, instances: list[Instance], available: list[Instance]
    ) -> list[Finding]:
        if instances and not available:
            first = self.images[instances[0].img_id].path
            return found('no image can be used', REFUSED, 'files', [first])
        return []

    def _rows(
        self, pools: Pools, num_visible: dict[int, np.ndarray]
    ) -> list[CategoryRow]:
        totals = Counter(a['category_id'] for a in self.coco.dataset['annotations'])
        rows = []
        for key, category in self.categories.items():
            visible = num_visible.get(key)
            rows.append(
                CategoryRow(
                    id=key,
                    name=category.name,
                    supercategory=category.supercategory,
                    num_keypoints=category.num_keypoints,
                    num_annotations=totals[key],
                    num_kept=len(pools.kept[key]),
                    num_available=len(pools.available[key]),
                    num_images=len({image_id for _, image_id in pools.available[key]}),
                    is_enough=pools.is_enough(pools.available[key]),
                    mean_visible=None if visible is None else float(visible.mean()),
                    **_describe_skeleton(self.skeletons[key], category),
                )
            )
        return rows


def _describe_skeleton(skeleton: CheckedSkeleton, category: Category) -> dict:
    nodes = {node for edge in skeleton.edges for node in edge}
    return dict(
        skeleton_base=skeleton.base,
        num_edges=len(skeleton.edges),
        num_isolated=category.num_keypoints - len(nodes),
    )


def _overlap_findings(files: list[FileReport]) -> list[Finding]:
    categories = [
        (f.path, {row.id: row.name for row in f.categories if row.num_kept})
        for f in files
    ]
    kind = 'train, val and test share categories'
    return found(kind, GAP, 'pairs of files', find_overlaps(categories))
