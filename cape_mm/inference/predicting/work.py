"""One process's share of the blocks, predicted and written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import ConfigError, ImageDecodeError, InstanceLoadError
from .. import CapeInferencer, InferenceResult, SkippedInput
from ..batching import (
    MAX_HELD_PIXELS,
    Task,
    make_task,
    without_image,
)
from ..sources import Frame, Source, read_frames
from ..video import VideoReader
from .blocks import (
    VIDEO_END,
    Block,
    Key,
    frame_filter,
    frame_key,
    is_complete,
    make_blocks,
)
from .launching import Ranks
from .overlays import draw_result, picture_path, write_picture
from .parts import PartWriter, to_line
from .progress import PredictionProgress

MISSING_SHARE = 0.02
"""A video that ends this much before its told length is reported as cut off."""

FindBoxes = Callable[[Frame], object]


@dataclass
class Worker:
    """Predicts blocks.

    Attributes:
        inferencer: with its support set.
        find_boxes: from a picture to boxes, None is the whole picture.
        names: of the pictures in the written files, by the name of the source.
        out: folder of the results.
        every: every n-th frame of videos.
        batch_size: pictures per block, and instances per pass.
        overlay: least confidence that is drawn; None draws nothing.
        progress: counts pictures.
    """

    inferencer: CapeInferencer
    find_boxes: FindBoxes
    names: dict[str, str]
    out: Path
    every: int
    batch_size: int
    overlay: float | None
    progress: PredictionProgress

    def run(
        self, sources: Sequence[Source], done: Mapping[Key, int], ranks: Ranks
    ) -> None:
        """Predict this process's blocks that are not done yet.

        Args:
            sources: all inputs.
            done: the finished blocks, see :func:`~.parts.finished_blocks`.
            ranks: this process among all.
        """

        def is_wanted(key: Key, number: int) -> bool:
            return key not in done and number % ranks.world_size == ranks.rank

        with PartWriter(self.out, ranks.rank) as writer:
            for block in make_blocks(sources, self.batch_size):
                if block.is_video:
                    if not is_complete(block.place, done, self.every, self.batch_size):
                        self._predict_video(block, is_wanted, ranks, writer)
                elif is_wanted((block.place, -1), block.number):
                    self._predict_pictures(block, writer)

    def _predict_pictures(self, block: Block, writer: PartWriter) -> None:
        tasks: list[tuple[int, Task]] = []
        results: list[tuple[int, InferenceResult]] = []
        skipped: list[tuple[int, SkippedInput]] = []
        for place, source in enumerate(block.sources, start=block.place):
            try:
                (frame,) = read_frames(source)
                tasks.append((place, self._task(frame, self.overlay is not None)))
            except InstanceLoadError as error:
                skipped.append((place, SkippedInput(source.name, None, str(error))))
            if sum(task.held_pixels for _, task in tasks) > MAX_HELD_PIXELS:
                results += self._predict(tasks)
                tasks = []
        results += self._predict(tasks)
        writer.write(to_line((block.place, -1), results, skipped))
        self.progress.add(len(skipped))

    def _predict_video(
        self,
        block: Block,
        is_wanted: Callable[[Key, int], bool],
        ranks: Ranks,
        writer: PartWriter,
    ) -> None:
        (source,) = block.sources
        wanted = frame_filter(block, self.every, self.batch_size, is_wanted)
        num_read, reason = 0, None
        try:
            with VideoReader(source.content) as reader:
                for key, tasks in self._group(block, reader, wanted):
                    writer.write(to_line(key, self._predict(tasks), []))
                num_read, reason = reader.num_read, _how_cut_off(reader)
        except InstanceLoadError as error:
            reason = str(error)
        if ranks.is_first:
            one = SkippedInput(source.name, num_read or None, reason or '')
            skipped = [(block.place, one)] if reason else []
            line = to_line((block.place, VIDEO_END), [], skipped)
            writer.write(line | dict(num_read=num_read))

    def _group(
        self, block: Block, reader: VideoReader, wanted: Callable[[int], bool]
    ) -> Iterator[tuple[Key, list[tuple[int, Task]]]]:
        """Frames of a video, block by block."""
        key, group = None, []
        for number, image in reader.frames(self.every, wanted):
            own = frame_key(block.place, number, self.every, self.batch_size)
            if group and own != key:
                yield key, group
                group = []
            key = own
            frame = Frame(block.sources[0].name, number, image)
            group.append((block.place, self._task(frame, False)))
        if group:
            yield key, group

    def _task(self, frame: Frame, keep_image: bool) -> Task:
        boxes = self.find_boxes(frame)
        try:
            task = make_task(frame, boxes, self.inferencer.pipeline)
        except ConfigError as error:  # one bad box in a file of many
            raise ImageDecodeError(str(error)) from error
        return task if keep_image else without_image(task)

    def _predict(
        self, tasks: Sequence[tuple[int, Task]]
    ) -> list[tuple[int, InferenceResult]]:
        predicted = self.inferencer.predict(
            self.inferencer.support,
            (task for _, task in tasks),
            self.batch_size,
            keep_images=True,
        )
        results = []
        for (place, _), result in zip(tasks, predicted):
            if self.overlay is not None and result.frame is None:
                self._draw(result)
            results.append((place, replace(result, image=None)))  # pixels take room
            self.progress.add(1)
        return results

    def _draw(self, result: InferenceResult) -> None:
        support = self.inferencer.support
        style = (support.category.skeleton, support.is_known, self.overlay)
        image = draw_result(result.image, result, *style)
        write_picture(picture_path(self.out, self.names[result.source]), image)


def _how_cut_off(reader: VideoReader) -> str | None:
    """What is wrong with a video that ends earlier than it says, else None."""
    told = reader.num_frames_told
    if reader.num_read >= told * (1 - MISSING_SHARE):
        return None
    return f'is cut off: only {reader.num_read:,} of its {told:,} frames decode'
