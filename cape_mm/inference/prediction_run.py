"""Pictures and videos in, labels and overlays out."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np
from rich.console import Console
from rich.progress import Progress

from ..errors import ConfigError, InstanceLoadError
from ..formats import (
    FORMATS,
    LabelledInstance,
    LabelledPicture,
    LabelSet,
    read_labels,
    write_labels,
    write_text,
)
from .boxes import Boxes, build_detector
from .inferencer import CapeInferencer
from .labelled_support import LabelledSupport, choose_support
from .model_loading import find_checkpoint
from .overlays import FOLDER as OVERLAYS
from .overlays import OverlayStyle, overlay_path, write_picture, write_video
from .picture_names import PictureNames, read_boxes
from .prediction_log import NAME as LOG
from .prediction_log import LoggedResults, PredictionLog
from .results import InferenceResult, SkippedInput
from .smoothing import METHODS
from .sources import Source, find_sources, printable
from .truth_scores import Scores, score_results
from .video import VideoReader

SKIPPED = 'skipped.csv'
NUM_LISTED = 20
IS_SEEN = 0.5
"""A keypoint whose probability of showing is lower is written as hidden, v = 1."""


@dataclass(frozen=True)
class PredictRequest:
    """Arguments of :func:`predict_files`.

    Attributes:
        support: file or folder of labels, or a picture with LabelMe's file beside it.
        queries: pictures, folders, patterns and videos.
        out: folder for the results.
        checkpoint: file of weights; None takes the one that comes with the package.
        config: config file; None takes the one in the checkpoint.
        support_images: folder of the support's pictures; None looks around its labels.
        support_format: format of the support's labels; None finds out.
        support_pictures: names of the pictures to use; empty: the first ones.
        category: of the support, where its file has several.
        num_shots: how many labelled instances are used; 0 for all.
        skeleton: edges for formats that have none; None keeps the file's.
        adapt: steps of training on the support, see :meth:`CapeInferencer.adapt`.
        boxes: COCO file with the boxes of the queries.
        truth: labels of the queries, to say how near the predictions are.
        detector: MMDetection's config or model name, finds the boxes.
        detector_checkpoint: its weights.
        formats: names of the formats to write.
        overlay: draw the predictions on copies of the pictures and videos.
        min_confidence: overlays leave out keypoints below this.
        every: of videos, every n-th frame.
        smooth: 'one_euro', 'median' or None, for videos.
        batch_size: instances that are predicted together.
        device: e.g. ``'cuda:1'``; None takes a GPU if there is one.
        cfg_options: overrides of the config.
        force: replace the results of another run.
    """

    support: str | Path
    queries: Sequence[str | Path]
    out: str | Path
    checkpoint: str | Path | None = None
    config: str | Path | None = None
    support_images: str | Path | None = None
    support_format: str | None = None
    support_pictures: Sequence[str] = ()
    category: str | None = None
    num_shots: int = 1
    skeleton: Sequence[tuple[int, int]] | None = None
    adapt: int | None = None
    boxes: str | Path | None = None
    truth: str | Path | None = None
    detector: str | None = None
    detector_checkpoint: str | None = None
    formats: Sequence[str] = ('coco', 'csv')
    overlay: bool = True
    min_confidence: float = 0.0
    every: int = 1
    smooth: str | None = None
    batch_size: int = 16
    device: str | None = None
    cfg_options: Mapping = field(default_factory=dict)
    force: bool = False

    def check(self) -> None:
        """Refuse what can't be done, before any work.

        Raises:
            ConfigError: an argument is impossible.
        """
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown:
            raise ConfigError(f'--formats: {unknown}: there are {sorted(FORMATS)}')
        lowest_values = dict(every=1, batch_size=1, num_shots=0, adapt=1)
        for name, lowest in lowest_values.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise ConfigError(
                    f'--{name.replace("_", "-")} must be at least {lowest}, got {value}'
                )
        if self.smooth is not None and self.smooth not in METHODS:
            raise ConfigError(f'--smooth must be one of {METHODS}, got {self.smooth!r}')
        if self.boxes is not None and self.detector is not None:
            raise ConfigError('--boxes and --detector exclude each other')

    def settings(
        self, sources: Sequence[Source], support: LabelledSupport
    ) -> dict[str, object]:
        """What every single prediction depends on, to tell runs apart."""
        sizes = [[source.name, _size(source)] for source in sources]
        return dict(
            checkpoint=_sha256(find_checkpoint(self.checkpoint).read_bytes()),
            config=None if self.config is None else str(self.config),
            cfg_options={key: str(value) for key, value in self.cfg_options.items()},
            support=support.key(),
            adapt=self.adapt,
            boxes=self.boxes and _sha256(Path(self.boxes).read_bytes()),
            detector=self.detector,
            overlay=self.min_confidence if self.overlay else None,
            every=self.every,
            batch_size=self.batch_size,
            queries=_sha256(repr(sizes).encode()),
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _size(source: Source) -> int:
    try:
        return os.path.getsize(source.content)
    except OSError:
        return -1


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
        truth = read_labels(request.truth, None, request.category)
    sources = find_sources(list(request.queries), Path(request.out) / OVERLAYS)
    names = name_pictures(sources)
    boxes, notes = find_boxes(request, names)
    inferencer = CapeInferencer(
        request.config, request.checkpoint, request.device, request.cfg_options
    )
    support.set_on(inferencer)
    print(support)
    if request.adapt is not None:
        print(inferencer.adapt(request.adapt, show_progress=True))
    if boxes is None and support.is_small():
        notes.append(
            'the support is a small part of its picture, but the queries are taken as '
            'a whole: --boxes or --detector says where the objects are'
        )
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
    files = _write(request, results, names, support.labels, style)
    scores = truth and score_results(results, truth, support, _exact_names(names))
    return _summarise(results, files, notes, scores)


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
        raise ConfigError(f'--queries: {twice} is named twice')
    base = os.path.commonpath([os.path.dirname(path) for path in paths])
    relative = [PurePath(os.path.relpath(path, base)).as_posix() for path in paths]
    return {s.name: printable(name) for s, name in zip(sources, relative)}


def _exact_names(names: Mapping[str, str]) -> dict[str, str]:
    return {PurePath(source).as_posix(): name for source, name in names.items()}


def find_boxes(
    request: PredictRequest, names: Mapping[str, str]
) -> tuple[Boxes | None, list[str]]:
    """Boxes by source, or who finds them, and what to say of them.

    Raises:
        ConfigError: the boxes can't be used, or there is no detector.
    """
    if request.detector is not None:
        weights = request.detector_checkpoint
        return build_detector(request.detector, weights, request.device), []
    if request.boxes is None:
        return None, []
    known = read_boxes(request.boxes, request.category)
    labels = PictureNames(known, _exact_names(names))
    found = {source: labels.find(PurePath(source).as_posix()) for source in names}
    notes = [
        f'{path}: its box was found by the last part of the name alone'
        for path in labels.guessed
    ]
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
    results: Iterator[InferenceResult], task: str, num_total: int
) -> Iterator[InferenceResult]:
    """The same results, counted by a bar on stderr."""
    with Progress(
        *Progress.get_default_columns(),
        '{task.completed}/{task.total}',
        console=Console(stderr=True),
    ) as progress:
        yield from progress.track(results, num_total, description=task)


def _write(
    request: PredictRequest,
    results: LoggedResults,
    names: Mapping[str, str],
    labels: LabelSet,
    style: OverlayStyle,
) -> list[Path]:
    """Write all files but the log, which is there already."""
    out = Path(request.out)
    pictures = PredictedPictures(results, names, style.is_known)
    predicted = LabelSet(
        labels.category, labels.keypoint_names, labels.skeleton, pictures
    )
    files: list[Path] = []
    for kind in request.formats:
        written = write_labels(predicted, out, kind)
        files += written if len(written) < 3 else [out / FORMATS[kind].name]
    if request.overlay:
        for source, own in results.by_source():
            if source.is_video:
                path = overlay_path(out, names[source.name], '.mp4')
                frames = _track(own, f'drawing {source.name}', None)
                write_video(path, source, frames, request.every, style)
        files += [out / OVERLAYS] if (out / OVERLAYS).is_dir() else []
    if skipped := results.skipped():
        files.append(write_skipped(out / SKIPPED, skipped))
    else:
        (out / SKIPPED).unlink(missing_ok=True)  # of the run that --force replaces
    return [*files, out / LOG]


@dataclass(frozen=True)
class PredictedPictures:
    """Results as labelled pictures, made anew whenever they are read.

    Attributes:
        results: in their order.
        names: of the pictures in the written files, by the name of the source.
        is_known: keypoints that the support marks, bool (K,); others get v = 0.
    """

    results: LoggedResults
    names: Mapping[str, str]
    is_known: np.ndarray

    def __iter__(self) -> Iterator[LabelledPicture]:
        for result in self.results:
            rows = (
                result.keypoints,
                result.visibility,
                result.confidence,
                result.boxes,
            )
            instances = tuple(self._instance(*row) for row in zip(*rows))
            name, size = self.names[result.source], result.image_size
            yield LabelledPicture(name, size, instances, result.frame)

    def _instance(
        self,
        points: np.ndarray,
        probability: np.ndarray,
        confidence: np.ndarray,
        box: np.ndarray,
    ) -> LabelledInstance:
        is_hidden = np.nan_to_num(probability, nan=1.0) < IS_SEEN
        visibility = np.where(self.is_known, np.where(is_hidden, 1, 2), 0)
        return LabelledInstance(points, visibility, confidence, box)


def write_skipped(path: Path, skipped: Sequence[SkippedInput]) -> Path:
    """Write the list of inputs without prediction.

    Raises:
        ConfigError: it can't be written.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(['file', 'frame', 'reason'])
    for one in skipped:
        frame = '' if one.frame is None else one.frame
        writer.writerow([one.source, frame, one.reason])
    return write_text(path, buffer.getvalue())


def _summarise(
    results: LoggedResults,
    files: Sequence[Path],
    notes: list[str],
    scores: Scores | None,
) -> Predicted:
    num_pictures = num_instances = 0
    for result in results:
        num_pictures += 1
        num_instances += len(result.boxes)
        notes += [f'{result.source}: {note}' for note in result.notes]
    counts, skipped = (num_pictures, num_instances), tuple(results.skipped())
    return Predicted(tuple(files), *counts, skipped, tuple(notes), scores)
