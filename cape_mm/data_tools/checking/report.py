"""What a check found, for programs: plain values and one exit code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .findings import GAP, REFUSED, Finding
from .images import ImageFile, count_images

EXIT_CLEAN, EXIT_GAPS, EXIT_UNUSABLE = 0, 1, 2
VERDICTS = ('clean', 'usable with gaps', 'unusable')


@dataclass(frozen=True)
class CategoryRow:
    """One category of an annotation file.

    Attributes:
        id: category id.
        name: category name, not unique.
        num_keypoints: K.
        num_annotations: all annotations.
        num_kept: those that the filters keep.
        num_available: those of them whose image can be used.
        num_images: images of those.
        is_enough: whether an episode can be drawn.
        num_edges: usable edges.
        num_isolated: keypoints without an edge.
    """

    id: int
    name: str
    num_keypoints: int
    num_annotations: int
    num_kept: int
    num_available: int
    num_images: int
    is_enough: bool
    num_edges: int
    num_isolated: int


@dataclass
class FileReport:
    """What was found in one annotation file.

    Attributes:
        path: the file.
        image_folder: where its images are expected.
        num_images: images listed.
        num_annotations: annotations listed, unreadable ones included.
        num_kept: annotations that the filters keep.
        num_available: those of them whose image can be used.
        dropped: ids of the others by reason.
        categories: one row for each.
        findings: everything else.
    """

    path: Path
    image_folder: str
    num_images: int = 0
    num_annotations: int = 0
    num_kept: int = 0
    num_available: int = 0
    dropped: dict[str, list[int]] = field(default_factory=dict)
    categories: list[CategoryRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def retention(self) -> float:
        """Share of annotations that the filters keep, in percent."""
        return 100 * self.num_kept / self.num_annotations if self.num_annotations else 0

    @property
    def usable_category_ids(self) -> set[int]:
        """Categories that an episode can be drawn from."""
        return {row.id for row in self.categories if row.is_enough}

    @property
    def exit_code(self) -> int:
        """0 clean, 1 usable with gaps, 2 unusable."""
        severities = {finding.severity for finding in self.findings}
        if REFUSED in severities or not self.usable_category_ids:
            return EXIT_UNUSABLE
        return EXIT_GAPS if GAP in severities else EXIT_CLEAN

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(
            path=str(self.path),
            verdict=VERDICTS[self.exit_code],
            image_folder=self.image_folder,
            num_images=self.num_images,
            num_annotations=self.num_annotations,
            num_kept=self.num_kept,
            num_available=self.num_available,
            retention_percent=round(self.retention, 3),
            num_dropped={reason: len(ids) for reason, ids in self.dropped.items()},
            categories=[asdict(row) for row in self.categories],
            findings=[finding.to_dict() for finding in self.findings],
        )


@dataclass
class DatasetReport:
    """What was found in a set of annotation files and their images.

    Attributes:
        num_shots: supports per episode that categories were measured by.
        num_queries: queries per episode.
        files: one report per annotation file.
        images: all image files that they ask for, each once.
        findings: what concerns images, or several files together.
        skipped: JSON files of the data root that are no annotation files.
        is_decoded: whether the images were decoded.
    """

    num_shots: int
    num_queries: int
    files: list[FileReport] = field(default_factory=list)
    images: list[ImageFile] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    is_decoded: bool = False

    @property
    def exit_code(self) -> int:
        """0 clean, 1 usable with gaps, 2 unusable: that of the worst file."""
        worst = max((f.exit_code for f in self.files), default=EXIT_UNUSABLE)
        return max(worst, EXIT_GAPS if self.findings else EXIT_CLEAN)

    @property
    def verdict(self) -> str:
        """The exit code in words."""
        return VERDICTS[self.exit_code]

    @property
    def missing_images(self) -> list[ImageFile]:
        """Image files that are not there."""
        return [image for image in self.images if image.problem is not None]

    def all_findings(self) -> Iterator[tuple[str, Finding]]:
        """Every finding with the name of its file, '' for those of the whole set."""
        for finding in self.findings:
            yield '', finding
        for report in self.files:
            for finding in report.findings:
                yield report.path.name, finding

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; every missing path, every id."""
        return dict(
            verdict=self.verdict,
            exit_code=self.exit_code,
            num_shots=self.num_shots,
            num_queries=self.num_queries,
            files=[report.to_dict() for report in self.files],
            skipped_files=[str(path) for path in self.skipped],
            images=dict(
                num_files=len(self.images),
                num_missing=len(self.missing_images),
                is_decoded=self.is_decoded,
                by_source=count_images(self.images),
                missing=[_missing_row(image) for image in self.missing_images],
            ),
            findings=[finding.to_dict() for finding in self.findings],
        )


def _missing_row(image: ImageFile) -> dict[str, Any]:
    return dict(
        path=image.path,
        problem=image.problem,
        source=image.source,
        category_ids=sorted(key for key, _ in image.categories),
    )
