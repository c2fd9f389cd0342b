"""Pictures and videos in, labels and overlays out."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ...errors import ConfigError
from ...formats import FORMATS, LabelSet, write_labels
from ...formats.json_files import write_text
from .. import CapeInferencer, SkippedInput
from ..detector import build_detector
from ..sources import Frame, Source, find_sources
from .launching import Ranks, join
from .merging import MergedResults, merge_skipped, to_labels
from .overlays import FOLDER as OVERLAYS
from .overlays import picture_path, write_video
from .parts import finished_blocks, read_parts
from .progress import PredictionProgress, count_frames
from .query_boxes import QueryBoxes
from .request import PredictRequest
from .run_state import claim_folder
from .scoring import Scores, read_truth, score_results
from .support_choice import ChosenSupport, choose_support
from .work import Worker

SKIPPED = 'skipped.csv'
NUM_LISTED = 20


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


def predict_files(request: PredictRequest) -> Predicted | None:
    """Predict all queries and write what was found.

    A run that was interrupted goes on where it stopped when it is started again.

    Args:
        request: what is asked for.

    Returns:
        What was done; None in all processes but the first.

    Raises:
        CapeError: what the arguments, the support or the disk makes impossible. Queries
            that can't be read are skipped and listed instead.
    """
    request.check()
    ranks = join(request.launcher)
    support = choose_support(request)
    truth = read_truth(request, support)
    sources = find_sources(list(request.queries), Path(request.out) / OVERLAYS)
    names = name_pictures(sources)
    find_boxes = make_box_finder(request, ranks)
    inferencer = CapeInferencer(
        request.config,
        request.checkpoint,
        request.device or ranks.device,
        request.cfg_options,
    )
    support.set_on(inferencer)
    if ranks.is_first:
        print(support)
        settings = request.settings(sources, support.key())
        targets = [FORMATS[kind].name for kind in request.formats] + [SKIPPED]
        targets += [OVERLAYS] if request.overlay else []
        claim_folder(request.out, settings, targets, request.force)
    ranks.wait()
    _work(request, inferencer, sources, names, find_boxes, ranks)
    ranks.wait()
    if not ranks.is_first:
        return None
    return _finish(request, inferencer, support, sources, names, truth)


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
    base = os.path.commonpath([os.path.dirname(path) for path in paths])
    relative = [PurePath(os.path.relpath(path, base)).as_posix() for path in paths]
    names = {s.name: _printable(name) for s, name in zip(sources, relative)}
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ConfigError(f'--queries: {twice} is named twice')
    return names


def _printable(name: str) -> str:
    return name.encode('utf-8', 'backslashreplace').decode('utf-8')


def make_box_finder(request: PredictRequest, ranks: Ranks) -> Callable[[Frame], object]:
    """From a picture to its boxes, None for the whole picture.

    Raises:
        ConfigError: the boxes can't be used, or there is no detector.
    """
    if request.boxes is not None:
        known = QueryBoxes(request.boxes, request.category)
        return lambda frame: known.find(PurePath(frame.source).as_posix())
    if request.detector is not None:
        weights, device = request.detector_checkpoint, request.device or ranks.device
        detect = build_detector(request.detector, weights, device)
        return lambda frame: detect(frame.image)
    return lambda frame: None


def _work(
    request: PredictRequest,
    inferencer: CapeInferencer,
    sources: Sequence[Source],
    names: dict[str, str],
    find_boxes: Callable[[Frame], object],
    ranks: Ranks,
) -> None:
    out = Path(request.out)
    done = finished_blocks(out)
    ranks.wait()  # nobody writes before all have read
    num_total = 0
    if ranks.is_first:
        num_done = sum(
            len(line['results']) + len(line['skipped']) for line in read_parts(out)
        )
        num_left = max(0, count_frames(sources, request.every) - num_done)
        num_total = num_left // ranks.world_size
        if done:
            print(f'goes on: {len(done):,} blocks are done already')
    progress = PredictionProgress(num_total, ranks.is_first)
    worker = Worker(
        inferencer=inferencer,
        find_boxes=find_boxes,
        names=names,
        out=out,
        every=request.every,
        batch_size=request.batch_size,
        overlay=request.min_confidence if request.overlay else None,
        progress=progress,
    )
    worker.run(sources, done, ranks)
    progress.close()


def _finish(
    request: PredictRequest,
    inferencer: CapeInferencer,
    support: ChosenSupport,
    sources: Sequence[Source],
    names: dict[str, str],
    truth: LabelSet | None,
) -> Predicted:
    """Merge the parts and write all files."""
    out = Path(request.out)
    category = inferencer.support.category
    results = MergedResults(out, sources, category.num_keypoints, request.smooth)
    skipped = merge_skipped(out, sources)
    is_known = inferencer.support.is_known
    labels = to_labels(results, names, support.labels, is_known)
    files: list[Path] = []
    for kind in request.formats:
        written = write_labels(labels, out, kind)
        files += written if len(written) < 3 else [out / FORMATS[kind].name]
    if request.overlay:
        style = (category.skeleton, is_known, request.min_confidence)
        _write_videos(request, results, names, style)
        files += [out / OVERLAYS] if (out / OVERLAYS).is_dir() else []
    if skipped:
        files.append(write_skipped(out / SKIPPED, skipped))
    else:
        (out / SKIPPED).unlink(missing_ok=True)  # of the run that --force replaces
    scores = None if truth is None else score_results(results, truth, support)
    return _summarise(results, files, skipped, scores)


def _summarise(
    results: MergedResults,
    files: Sequence[Path],
    skipped: Sequence[SkippedInput],
    scores: Scores | None,
) -> Predicted:
    num_pictures = num_instances = 0
    notes: list[str] = []
    for result in results:
        num_pictures += 1
        num_instances += len(result.boxes)
        notes += [f'{result.source}: {note}' for note in result.notes]
    counts = (num_pictures, num_instances)
    return Predicted(tuple(files), *counts, tuple(skipped), tuple(notes), scores)


def _write_videos(
    request: PredictRequest, results: MergedResults, names: dict[str, str], style: tuple
) -> None:
    num_frames = sum(result.frame is not None for result in results)
    if not num_frames:
        return
    print('drawing the videos:', file=sys.stderr, flush=True)
    progress = PredictionProgress(num_frames, is_shown=True)
    for source, own in results.by_source():
        if source.is_video:
            path = picture_path(Path(request.out), names[source.name], '.mp4')
            write_video(path, source, progress.counted(own), request.every, *style)
    progress.close()


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
