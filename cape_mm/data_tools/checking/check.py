"""The check: one annotation file after the other, every image once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...datasets.annotation_index import AnnotationIndex
from ...datasets.episode_pools import EpisodeSize
from ...datasets.instance_filters import select_instances
from ...errors import ConfigError, MissingDataError
from ...utils.value_checks import check_at_least
from .annotations import (
    crowded_image_findings,
    drop_findings,
    duplicate_id_findings,
    geometry_findings,
)
from .files import (
    ReadFile,
    find_annotation_files,
    find_image_folder,
    find_overlaps,
    read_leniently,
)
from .findings import GAP, REFUSED, Finding, found, size_findings
from .images import (
    ImageFile,
    collect_images,
    decode_images,
    image_findings,
    shared_file_findings,
)
from .report import CategoryRow, DatasetReport, FileReport
from .skeletons import read_categories_leniently

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
            that :func:`~.files.find_image_folder` tells.
        num_shots: supports per episode.
        num_queries: queries per episode; a category needs enough instances for both.
        decode: decode every image and compare its size with the JSON.
        num_workers: processes that decode; None for one per available core.

    Returns:
        The report, with ``exit_code`` and ``to_dict()``, for :func:`format_report`.

    Raises:
        ConfigError: a number is below 1, or no file is given.
        MissingDataError: the data root or the image folder does not exist.
        ImageDecodeError: a decoding process died.
    """
    check_at_least('num_shots', num_shots, 1)
    check_at_least('num_queries', num_queries, 1)
    if image_folder is not None and not os.path.isdir(image_folder):
        raise MissingDataError(f'image folder not found: {image_folder}')
    paths, is_root = _list_files(ann_files)
    report = DatasetReport(num_shots, num_queries, is_decoded=decode)
    images: dict[str, ImageFile] = {}
    checks = []
    for path in paths:
        folder = str(image_folder or find_image_folder(path))
        content = read_leniently(path, folder)
        if content.is_other_json and is_root:
            report.skipped.append(path)
        else:
            checks.append(_FileCheck(content, folder, images))
    if decode:
        decode_images([im for im in images.values() if im.problem is None], num_workers)
    size = EpisodeSize(num_shots, num_queries)
    report.files = [checked.finish(size) for checked in checks]
    if not report.files:
        raise MissingDataError(f'no annotation file among {", ".join(map(str, paths))}')
    report.images = list(images.values())
    report.findings = image_findings(report.images) + _overlap_findings(report.files)
    return report


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
        name = content.path.name
        categories, findings = read_categories_leniently(self.coco, name)
        self.index = AnnotationIndex(
            name, categories, *select_instances(self.coco, categories)
        )
        self.report.findings += findings
        self.images = collect_images(self.coco, categories, folder, images)

    def finish(self, size: EpisodeSize) -> FileReport:
        """Count what is kept and available, and what can be drawn from it."""
        if self.coco is None:
            return self.report
        report, coco, index = self.report, self.coco, self.index
        gone = {
            coco.imgs[key]['file_name']
            for key, image in self.images.items()
            if not image.is_available
        }
        kept, available = index.by_category(), index.by_category(gone)
        report.num_kept = len(index)
        report.num_available = sum(map(len, available.values()))
        report.dropped = index.filter_report.dropped_ids
        report.findings += drop_findings(report.dropped)
        report.findings += duplicate_id_findings(coco)
        report.findings += size_findings(index.categories, kept, available, size)
        if report.num_kept and not report.num_available:
            first = self.images[index.instances[0].img_id].path
            report.findings += found('no image can be used', REFUSED, 'files', [first])
        report.findings += geometry_findings(coco, index.categories)
        report.findings += crowded_image_findings(coco)
        report.findings += shared_file_findings(self.images)
        totals = Counter(ann['category_id'] for ann in coco.dataset['annotations'])
        report.categories = [
            CategoryRow(
                id=key,
                name=category.name,
                num_keypoints=category.num_keypoints,
                num_annotations=totals[key],
                num_kept=len(kept[key]),
                num_available=len(available[key]),
                num_images=len({image_id for _, image_id in available[key]}),
                is_enough=size.fits(available[key]),
                num_edges=len(category.skeleton),
                num_isolated=category.num_keypoints
                - len({node for edge in category.skeleton for node in edge}),
            )
            for key, category in index.categories.items()
        ]
        return report


def _overlap_findings(files: list[FileReport]) -> list[Finding]:
    categories = [
        (f.path, {row.id: row.name for row in f.categories if row.num_kept})
        for f in files
    ]
    kind = 'train, val and test share categories'
    return found(kind, GAP, 'pairs of files', find_overlaps(categories))
