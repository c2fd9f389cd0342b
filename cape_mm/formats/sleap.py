"""A COCO file as SLEAP imports it (File > Import > COCO dataset).

SLEAP's own .slp needs its libraries, which are heavy; SLEAP and sleap-io read this file
instead. SLEAP itself takes a skeleton for one that counts from 0 if no edge leads to
the last keypoint, and then draws its edges one keypoint too far; sleap-io never does.

Both take every ``annotations`` entry for an instance, leave out keypoints of
visibility 0, and want names for all keypoints and a skeleton.
"""

from __future__ import annotations

from pathlib import Path

from .coco import write_coco
from .labels import LabelSet


def write_sleap(labels: LabelSet, path: str | Path) -> list[Path]:
    """Write a COCO file that SLEAP imports.

    Raises:
        ConfigError: a picture's size is not known, or the file can't be written.
    """
    return write_coco(labels, path, skeleton_base=1)
