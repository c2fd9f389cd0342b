"""What is asked for, and what of it makes two runs the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..formats import FORMATS
from ..utils.value_checks import check_at_least, check_choice
from .labelled_support import LabelledSupport
from .model_loading import find_checkpoint
from .smoothing import METHODS
from .sources import Source


@dataclass(frozen=True)
class PredictRequest:
    """Arguments of :func:`~.prediction_run.predict_files`.

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
        adapt: steps of training on the support and queries; None does not train.
        boxes: COCO file with the boxes of the queries.
        truth: labels of the queries, to say how near the predictions are.
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
        for name in self.formats:
            check_choice('formats', name, list(FORMATS))
        lowest_values = dict(every=1, batch_size=1, num_shots=0, adapt=1)
        for name, lowest in lowest_values.items():
            if (value := getattr(self, name)) is not None:
                check_at_least(name, value, lowest)
        if self.smooth is not None:
            check_choice('smooth', self.smooth, METHODS)

    def settings(
        self, sources: Sequence[Source], support: LabelledSupport
    ) -> dict[str, object]:
        """What every single prediction depends on, to tell runs apart."""
        sizes = [[source.name, _size(source)] for source in sources]
        return dict(
            checkpoint=_sha256(find_checkpoint(self.checkpoint)),
            config=None if self.config is None else str(self.config),
            cfg_options={key: str(value) for key, value in self.cfg_options.items()},
            support=support.key(),
            adapt=self.adapt,
            boxes=self.boxes and _sha256(Path(self.boxes)),
            overlay=self.min_confidence if self.overlay else None,
            every=self.every,
            batch_size=self.batch_size,
            queries=hashlib.sha256(repr(sizes).encode()).hexdigest(),
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _size(source: Source) -> int:
    try:
        return os.path.getsize(source.content)
    except OSError:
        return -1
