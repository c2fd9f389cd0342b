"""Reduced annotation files, never over the originals."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...datasets.reduced_files import Reduction, read_reductions, with_reductions
from ...errors import ConfigError
from ...utils.atomic_write import write_text_atomically
from .files import read_leniently
from .report import DatasetReport, FileReport

MARK = 'made_by_check_dataset'
"""Key of ``info`` that tells a file of ours, which a later run may replace."""


def write_available(report: DatasetReport, out: str | os.PathLike) -> dict[Path, Path]:
    """Write files that hold only what can be used.

    Kept are the annotations whose image is there (and decodes, where that was tried),
    in categories that an episode can be drawn from; their images; these categories.
    Ids and the order stay. ``info`` tells what the complete file had, so that results
    on the new one are partial (see :mod:`~cape_mm.datasets.reduced_files`).

    Args:
        report: what :func:`~.check.check_dataset` returned.
        out: folder of the new files, which keep their names.

    Returns:
        The new file by the original.

    Raises:
        ConfigError: a new file would replace an original or another file that is none
            of ours, can't be written, or nothing would be left in it.
    """
    contents = {}
    for file in report.files:
        target = Path(out) / file.path.name
        contents[file.path] = (target, _reduced(file))
    targets = [target for target, _ in contents.values()]
    if len(set(targets)) < len(targets):
        raise ConfigError(
            f'{out}: two annotation files have the same name. Check them one by one, '
            f'each with an output folder of its own.'
        )
    return _write_all(contents)


def _reduced(file: FileReport) -> dict[str, Any]:
    usable = file.usable_category_ids
    coco = read_leniently(file.path).coco
    if coco is None or not usable:
        raise ConfigError(
            f'{file.path}: nothing would be left of it, so nothing was '
            f'written. Look at the report for the reason.'
        )
    annotations = [
        ann
        for ann in coco.dataset['annotations']
        if ann['image_id'] in file.available_image_ids and ann['category_id'] in usable
    ]
    needed = {ann['image_id'] for ann in annotations}
    info = coco.dataset.get('info')
    info = info if isinstance(info, dict) else {}
    content = {
        **coco.dataset,
        'info': {**info, MARK: f'{file.path.name}: available images only'},
    }
    content['images'] = [im for im in coco.dataset['images'] if im['id'] in needed]
    content['info'] = with_reductions(content['info'], _reductions(file, coco.dataset))
    content['annotations'] = annotations
    content['categories'] = [
        raw for raw in coco.dataset['categories'] if raw['id'] in usable
    ]
    return content


def _reductions(file: FileReport, content: dict) -> dict[int, Reduction]:
    """What is left of every category; the file itself may be a reduced one."""
    complete = read_reductions(content, str(file.path))
    left = {key: replace(old, num_kept=0) for key, old in complete.items()}
    for row in file.categories:
        old = complete.get(row.id)
        left[row.id] = Reduction(
            row.id,
            row.name,
            num_instances=old.num_instances if old else row.num_kept,
            num_kept=row.num_available if row.is_enough else 0,
        )
    return left


def _write_all(contents: dict[Path, tuple[Path, dict]]) -> dict[Path, Path]:
    for target, _ in contents.values():
        _refuse_to_replace(target)
    written = {}
    for original, (target, content) in contents.items():
        text = json.dumps(content, ensure_ascii=False, separators=(',', ':'))
        try:
            written[original] = write_text_atomically(target, text)
        except OSError as error:
            raise ConfigError(
                f'{target} can not be written: {error.strerror or error}. The '
                f'originals are untouched.'
            ) from error
    return written


def _refuse_to_replace(target: Path) -> None:
    """Stop where a file would be replaced that an earlier run did not write.

    Raises:
        ConfigError: that is so; an original is such a file, too.
    """
    if not os.path.lexists(target):
        return
    coco = None if target.is_symlink() else read_leniently(target).coco
    info = coco.dataset.get('info') if coco is not None else None
    if not isinstance(info, dict) or MARK not in info:
        raise ConfigError(
            f'{target} exists and was not written by an earlier run, so it is left '
            f'alone. Choose another folder.'
        )
