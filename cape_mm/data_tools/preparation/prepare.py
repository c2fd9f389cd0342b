"""Fills a data root with the images that the annotation files ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError
from ..checking import DatasetReport, check_dataset
from ..checking.locating import find_annotation_files
from ..checking.report import EXIT_CLEAN, EXIT_GAPS, EXIT_UNUSABLE
from .linking import MODES, make_files
from .plan import Plan, find_image_root, make_plan
from .plan_table import format_plan
from .wanted import list_wanted_images, read_coco_files


@dataclass(frozen=True)
class Preparation:
    """What came of it.

    Attributes:
        plan: what was to be done.
        num_made: links or copies made; 0 after a dry run.
        report: what check_dataset says of the result; None after a dry run, and
            where there is no image at all.
    """

    plan: Plan
    num_made: int = 0
    report: DatasetReport | None = None

    @property
    def exit_code(self) -> int:
        """0 complete, 1 usable with gaps, 2 unusable."""
        if not self.plan.has_images:
            return EXIT_UNUSABLE
        code = EXIT_GAPS if self.plan.has_gaps else EXIT_CLEAN
        return code if self.report is None else max(code, self.report.exit_code)


def prepare_mp100(
    data_root: str | os.PathLike,
    source_folders: Mapping[str, str | os.PathLike],
    ann_files: Sequence[str | os.PathLike] = (),
    mode: str = 'symlink',
    dry_run: bool = False,
    echo: Callable[[str], object] = print,
) -> Preparation:
    """Plan, say what will be done, do it, and check the result.

    Args:
        data_root: folder with ``annotations``; the images come to ``images`` beside.
        source_folders: folder of each unpacked source by its name (a key of
            ``mp100_sources.SOURCES``), any subset.
        ann_files: annotation files; none for all in ``data_root/annotations``, where
            JSON files of another kind are left aside.
        mode: 'symlink', 'hardlink' or 'copy'.
        dry_run: stop after the plan; nothing is written.
        echo: takes the plan and the report as text.

    Raises:
        MissingDataError: a folder or an annotation file does not exist.
        AnnotationFormatError: an annotation file is malformed.
        ConfigError: an argument is impossible, or a file could not be made.
    """
    if mode not in MODES:
        raise ConfigError(f'mode {mode!r} is none of {", ".join(MODES)}')
    named = [Path(file) for file in ann_files]
    contents = read_coco_files(named or find_annotation_files(data_root), bool(named))
    wanted = list_wanted_images(contents)
    plan = make_plan(wanted, find_image_root(data_root), source_folders)
    echo(format_plan(plan))
    if dry_run:
        echo('\ndry run: nothing was written')
        return Preparation(plan)
    num_made = make_files(plan, mode)
    echo(f'\nmade {num_made:,} files ({mode}) in {plan.image_root}\n')
    report = _check(list(contents), plan.image_root)
    echo(report.format_table() if report else 'no image is there: nothing to check')
    return Preparation(plan, num_made, report)


def _check(ann_files: Sequence[Path], image_root: Path) -> DatasetReport | None:
    if not image_root.is_dir():
        return None
    return check_dataset(ann_files, image_folder=image_root)
