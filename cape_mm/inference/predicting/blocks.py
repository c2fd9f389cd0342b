"""The unit of work: a few pictures, or a few frames, that are predicted together.

What is in a block depends on the inputs and the batch size alone. So a picture is
predicted in the same company whatever the number of processes and however often a run
was interrupted, and its prediction is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..sources import Source

Key = tuple[int, int]
"""Place of the first source, and first frame of a video or -1."""

VIDEO_END = -2
"""Instead of a first frame, in the key of the line that says how a video ended."""


@dataclass(frozen=True)
class Block:
    """Pictures of a block, or a video, whose frames make blocks of their own.

    Attributes:
        number: of the block, or of the first of the video.
        place: of the first source.
        sources: consecutive pictures, or one video.
    """

    number: int
    place: int
    sources: tuple[Source, ...]

    @property
    def is_video(self) -> bool:
        """Whether it is a whole video."""
        return self.sources[0].is_video


def make_blocks(sources: Sequence[Source], batch_size: int) -> Iterator[Block]:
    """Consecutive pictures in blocks of ``batch_size``, every video on its own."""
    number, start = 0, 0
    while start < len(sources):
        end = start + 1
        if not sources[start].is_video:
            while (
                end < len(sources)
                and end - start < batch_size
                and not sources[end].is_video
            ):
                end += 1
        yield Block(number, start, tuple(sources[start:end]))
        number, start = number + 1, end


def frame_key(place: int, number: int, every: int, batch_size: int) -> Key:
    """Block of a video's frame: ``batch_size`` sampled frames make one."""
    span = every * batch_size
    return place, number // span * span


def frame_filter(
    block: Block,
    every: int,
    batch_size: int,
    is_wanted: Callable[[Key, int], bool],
) -> Callable[[int | None], bool]:
    """Whether a frame of a video belongs to a block that is wanted.

    Args:
        block: the video.
        every: every n-th frame is sampled.
        batch_size: sampled frames per block.
        is_wanted: from the key and the number of a block to the answer.
    """

    def filter_frame(number: int | None) -> bool:
        key = frame_key(block.place, number or 0, every, batch_size)
        return is_wanted(key, block.number + key[1] // (every * batch_size))

    return filter_frame


def is_complete(
    place: int, done: Mapping[Key, int], every: int, batch_size: int
) -> bool:
    """Whether all blocks of a video are finished.

    Args:
        place: of the video.
        done: finished blocks; that of a video's end has its number of frames.
        every: every n-th frame is sampled.
        batch_size: sampled frames per block.
    """
    num_frames = done.get((place, VIDEO_END))
    if num_frames is None:
        return False
    starts = range(0, num_frames, every * batch_size)
    return all((place, start) in done for start in starts)
