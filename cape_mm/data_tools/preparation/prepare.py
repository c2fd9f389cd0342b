"""Fills a data root with the images that the annotation files ask for."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from ...errors import ConfigError
from ...utils.atomic_write import replacing
from ...utils.value_checks import check_choice
from ..checking import DatasetReport, check_dataset, format_report
from ..checking.files import find_annotation_files
from ..checking.report import EXIT_CLEAN, EXIT_GAPS, EXIT_UNUSABLE
from .plan import Action, Plan, PlanEntry, find_image_root, format_plan, make_plan
from .wanted import list_wanted_images, read_coco_files

MODES = ('symlink', 'copy')


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
        mode: one of :data:`MODES`.
        dry_run: stop after the plan; nothing is written.
        echo: takes the plan and the report as text.

    Raises:
        MissingDataError: a folder or an annotation file does not exist.
        AnnotationFormatError: an annotation file is malformed.
        ConfigError: an argument is impossible, or a file could not be made.
    """
    check_choice('mode', mode, MODES)
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
    report = None
    if plan.image_root.is_dir():
        report = check_dataset(list(contents), image_folder=plan.image_root)
    echo(format_report(report) if report else 'no image is there: nothing to check')
    return Preparation(plan, num_made, report)


def make_files(plan: Plan, mode: str = 'symlink') -> int:
    """Link or copy everything that the plan says is to be made.

    Sources are only read. A file that is in place is never replaced, except a broken
    link. Whatever interrupts this, the same call goes on where it stopped.

    Args:
        plan: what to do; its sources and targets as they were then.
        mode: 'symlink' (absolute links) or 'copy'.

    Returns:
        How many files were made.

    Raises:
        ConfigError: the mode is unknown, or the operating system refuses.
    """
    check_choice('mode', mode, MODES)
    todo = plan.to_write
    for num_done, entry in enumerate(
        track(todo, 'making files', console=Console(stderr=True))
    ):
        try:
            entry.target.parent.mkdir(parents=True, exist_ok=True)
            _make(entry, mode)
        except OSError as error:
            raise ConfigError(
                f'{entry.target} could not be made from {entry.match.path}: '
                f'{error.strerror or error}. Mend the cause and run the same command '
                f'again: the {num_done:,} of {len(todo):,} files made so far are '
                f'complete, and it goes on from there.'
            ) from error
    return len(todo)


def _make(entry: PlanEntry, mode: str) -> None:
    """Make one file; fails where something is there, but for a broken link."""
    source, target = str(entry.match.path), entry.target
    if entry.action is Action.REPLACE and target.is_symlink():
        target.unlink()
    if mode == 'symlink':
        os.symlink(source, target)
        return
    with replacing(target) as partial:
        shutil.copy2(source, partial)
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
