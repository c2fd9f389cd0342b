"""What a page lets its users upload and keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of memory and disk.

    Attributes:
        max_file_bytes: of one uploaded file.
        max_pixels: of one picture, checked before it is decoded.
        min_side: of a picture in pixels.
        max_queries: pictures to predict, per user.
        max_shots: support pictures, per user.
        max_points: keypoints.
        max_folder_bytes: of all that was uploaded and is still there.
        max_sessions: users whose work is kept at the same time.
        max_undo: steps that can be taken back.
    """

    max_file_bytes: int = 20 * 2**20
    max_pixels: int = 60_000_000
    min_side: int = 16
    max_queries: int = 40
    max_shots: int = 8
    max_points: int = 100
    max_folder_bytes: int = 4 * 2**30
    max_sessions: int = 8
    max_undo: int = 50

    @property
    def max_request_bytes(self) -> int:
        """Of one upload: all queries at their largest, and what is around them."""
        return self.max_queries * self.max_file_bytes + 2**20
