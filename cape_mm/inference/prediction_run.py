"""Pictures and videos in, labels and overlays out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from ..errors import ConfigError, InstanceLoadError
from ..formats import FORMATS, read_labels
from .boxes import Boxes
from .inferencer import CapeInferencer
from .labelled_support import LabelledSupport, choose_support, is_small
from .overlays import FOLDER as OVERLAYS
from .overlays import OverlayStyle, overlay_path, write_picture
from .picture_names import PictureNames, read_boxes
from .prediction_files import SKIPPED, draw_videos, write_predictions
from .prediction_log import LoggedResults, PredictionLog
from .prediction_request import PredictRequest
from .results import InferenceResult, SkippedInput
from .sources import Source, find_sources, printable
from .truth_scores import Scores, score_results
from .video import VideoReader

NUM_LISTED = 20
Read = TypeVar('Read')


@dataclass(frozen=True)
class Predicted:
    """What :func:`predict_files` did.

    Attributes:
        files: written files and folders.
        num_pictures: pictures and frames that were predicted.
        num_instances: objects on them.
        skipped: inputs without prediction.
        notes: what else there is to know of inputs.
        scores: how near the truth, where that was named.
    """

    files: tuple[Path, ...]
    num_pictures: int
    num_instances: int
    skipped: tuple[SkippedInput, ...]
    notes: tuple[str, ...]
    scores: Scores | None = None

    def __str__(self) -> str:
        lines = [
            f'predicted {self.num_instances:,} instances on {self.num_pictures:,} '
            f'pictures and frames'
        ]
        lines += [f'note: {note}' for note in self.notes[:NUM_LISTED]]
        if len(self.notes) > NUM_LISTED:
            lines.append(f'note: ... and {len(self.notes) - NUM_LISTED:,} more')
        lines += [f'written: {path}' for path in self.files]
        lines += [] if self.scores is None else [str(self.scores)]
        if self.skipped:
            lines.append(f'skipped {len(self.skipped):,} inputs:')
            lines += [f'  {one}' for one in self.skipped[:NUM_LISTED]]
            if len(self.skipped) > NUM_LISTED:
                lines.append(f'  ... all of them in {SKIPPED}')
        return '\n'.join(lines)


def predict_files(request: PredictRequest) -> Predicted:
    """Predict all queries and write what was found.

    A run that was interrupted goes on where it stopped when it is started again.

    Args:
        request: what is asked for.

    Raises:
        CapeError: what the arguments, the support or the disk makes impossible. Queries
            that can't be read are skipped and listed instead.
    """
    request.check()
    support = choose_support(
        request.support,
        request.support_images,
        request.support_format,
        request.category,
        request.num_shots,
        request.support_pictures,
        request.skeleton,
    )
    truth = None
    if request.truth is not None:
        truth = _of_category(
            lambda name: read_labels(request.truth, None, name), request, support
        )
    sources = find_sources(list(request.queries), Path(request.out) / OVERLAYS)
    names = name_pictures(sources)
    boxes, notes = find_boxes(request, support, names)
    inferencer = CapeInferencer(
        request.config, request.checkpoint, request.device, request.cfg_options
    )
    support.set_on(inferencer)
    notes += [f'support: {note}' for note in support.notes]
    if boxes is None and is_small(inferencer.support.shots):
        notes.append(
            'the support is a small part of its picture, but the queries are taken as '
            'a whole: --boxes says where the objects are'
        )
    print('\n'.join([str(support), *(f'note: {note}' for note in notes)]), flush=True)
    if request.adapt is not None:
        options = dict(pictures=sources, bboxes=boxes, show_progress=True)
        print(inferencer.adapt(request.adapt, **options))
    settings = request.settings(sources, support)
    targets = [FORMATS[kind].name for kind in request.formats] + [SKIPPED]
    targets += [OVERLAYS] if request.overlay else []
    with PredictionLog(request.out, settings, sources, targets, request.force) as log:
        if log.num_done:
            print(f'goes on: {log.num_done:,} of {len(sources):,} inputs are done')
        category, is_known = inferencer.support.category, inferencer.support.is_known
        style = OverlayStyle(category.skeleton, is_known, request.min_confidence)
        _predict_rest(request, inferencer, log, names, boxes, style)
    results = LoggedResults(log, category.num_keypoints, request.smooth)
    out = Path(request.out)
    files = write_predictions(
        results, names, support.labels, is_known, out, request.formats
    )
    if request.overlay:
        files += draw_videos(results, names, out, request.every, style, _track)
    shots = inferencer.support.shots
    scores = truth and score_results(results, truth, support, shots, names)
    return _summarise(results, files, scores)


def name_pictures(sources: Sequence[Source]) -> dict[str, str]:
    """Names in the written files, relative to the folder that all sources are in.

    Args:
        sources: files.

    Returns:
        By the name of the source.

    Raises:
        ConfigError: a file was named twice.
    """
    paths = [os.path.abspath(source.content) for source in sources]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ConfigError(f'queries: {twice} is named twice')
    base = os.path.commonpath([os.path.dirname(path) for path in paths])
    relative = [PurePath(os.path.relpath(path, base)).as_posix() for path in paths]
    return {s.name: printable(name) for s, name in zip(sources, relative)}


def _of_category(
    read: Callable[[str | None], Read],
    request: PredictRequest,
    support: LabelledSupport,
) -> Read:
    """What a file says of the support's category; ids are those of one file only."""
    with suppress(ConfigError):
        return read(support.labels.category)
    return read(request.category)


def find_boxes(
    request: PredictRequest, support: LabelledSupport, names: Mapping[str, str]
) -> tuple[Boxes | None, list[str]]:
    """Boxes by source, where a file has them, and what to say of them.

    Raises:
        ConfigError: the boxes can't be used.
    """
    if request.boxes is None:
        return None, []
    known, notes = _of_category(
        lambda name: read_boxes(request.boxes, name), request, support
    )
    labels = PictureNames(known, names)
    found = {source: labels.find(source) for source in names}
    notes = [f'boxes: {note}' for note in (*notes, *labels.notes())]
    return {source: known[name] for source, name in found.items() if name}, notes


def _predict_rest(
    request: PredictRequest,
    inferencer: CapeInferencer,
    log: PredictionLog,
    names: Mapping[str, str],
    boxes: Boxes | None,
    style: OverlayStyle,
) -> None:
    """Predict what is not finished, and write it down as it comes."""
    rest = log.sources[log.num_done :]
    skipped: list[SkippedInput] = []
    if isinstance(boxes, Mapping):
        reason = f'has no box in {request.boxes}'
        skipped += [
            SkippedInput(s.name, None, reason) for s in rest if s.name not in boxes
        ]
        rest = [source for source in rest if source.name in boxes]
    places = {source.name: place for place, source in enumerate(log.sources)}
    by_source: dict[str, list[SkippedInput]] = {}

    def finish(end: int) -> None:
        """End all inputs before that place: it is read in their order."""
        while skipped:
            one = skipped.pop()
            by_source.setdefault(one.source, []).insert(0, one)
        while log.num_done < end:
            log.finish(by_source.pop(log.sources[log.num_done].name, []))

    results: Iterator[InferenceResult] = iter(())
    if rest:
        results = inferencer.iterate(
            rest, boxes, request.batch_size, request.every, request.overlay, skipped
        )
    num_total = sum(_count_frames(source, request.every) for source in rest)
    for result in _track(results, 'predicting', num_total):
        finish(places[result.source])
        log.add(result)
        if request.overlay and result.frame is None:
            path = overlay_path(Path(request.out), names[result.source])
            write_picture(path, style.draw(result.image, result))
    finish(len(log.sources))


def _count_frames(source: Source, every: int) -> int:
    """Pictures and sampled frames, as far as a video tells its length."""
    if not source.is_video:
        return 1
    try:
        with VideoReader(source.content) as reader:
            return -(-reader.num_told // every)
    except InstanceLoadError:
        return 1


def _track(
    results: Iterator[InferenceResult], task: str, num_total: int | None = None
) -> Iterator[InferenceResult]:
    """The same results, counted by a bar on stderr."""
    with Progress(
        *Progress.get_default_columns(),
        '{task.completed}/{task.total}',
        console=Console(stderr=True),
    ) as progress:
        yield from progress.track(results, num_total, description=task)


def _summarise(
    results: LoggedResults, files: Sequence[Path], scores: Scores | None
) -> Predicted:
    notes: list[str] = []
    num_pictures = num_instances = 0
    for result in results:
        num_pictures += 1
        num_instances += len(result.boxes)
        notes += [f'{result.source}: {note}' for note in result.notes]
    counts, skipped = (num_pictures, num_instances), tuple(results.skipped())
    return Predicted(tuple(files), *counts, skipped, tuple(notes), scores)
