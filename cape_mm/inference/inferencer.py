"""Mark keypoints on one picture, find them on all the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from rich.console import Console
from rich.progress import Progress
from torch import nn

from ..datasets.categories import Category
from ..errors import ConfigError, InstanceLoadError
from ..utils.value_checks import check_at_least
from .adaptation import MAX_UNMARKED, MIN_CONFIDENCE, STEPS, Adaptation, adapt_model
from .batching import Task, make_task, predict_tasks
from .boxes import Boxes, box_finder
from .cropping import CropPipeline, to_inputs
from .model_loading import fold_batch_norms, load_model
from .results import InferenceResult, SkippedInput
from .sources import Frame, Inputs, find_sources, read_frames, spread_frames
from .support import Shot, Support, as_episode, join, make_category, read_shots, relate


class CapeInferencer:
    """Finds the keypoints of marked pictures on other pictures and videos.

    ::

        inferencer = CapeInferencer()
        inferencer.set_support('frame 1.png', [[10, 20], [30, 40]], skeleton=[[0, 1]])
        for result in inferencer.iterate('frames/'):
            print(result.source, result.keypoints, result.confidence)

    Convention:
        - keypoints (x, y) and boxes (x, y, w, h) in pixels of the picture as it is
          shown, that is after the turn that EXIF asks for
        - arrays are BGR uint8, as OpenCV has them

    The marked pictures are encoded once. Threads may share an inferencer: a call works
    on the support that was set when it began, and the model runs one batch at a time.

    Args:
        config: config file or loaded config; None takes the config that the checkpoint
            holds, without running it.
        checkpoint: file of weights; None takes the one that comes with the package.
        device: e.g. ``'cuda:1'`` or ``'cpu'``; None takes a GPU if there is one.
        cfg_options: overrides of the config, e.g. ``{'model.test_cfg.mode':
            'parallel'}`` for one step instead of one per keypoint.

    Raises:
        ConfigError: the config can't be used.
        CheckpointError: the checkpoint can't be used.
    """

    def __init__(
        self,
        config: str | Path | Config | None = None,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
        cfg_options: Mapping | None = None,
    ) -> None:
        self.model, self.cfg = load_model(checkpoint, config, device, cfg_options)
        self.pipeline = CropPipeline(self.cfg)
        for name in ('backbone', 'support_backbone'):
            backbone = getattr(self.model, name, None)
            if backbone is not None:
                folded = fold_batch_norms(backbone, self.pipeline.crop_size())
                setattr(self.model, name, folded)
        self._lock = threading.RLock()
        self._support: Support | None = None
        self._unadapted: nn.Module | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def support(self) -> Support | None:
        """What :meth:`set_support` and :meth:`add_support` gave."""
        return self._support

    def set_support(
        self,
        images: Inputs,
        keypoints: Sequence | np.ndarray,
        skeleton: Sequence[Sequence[int]] | None = None,
        visibility: Sequence | np.ndarray | None = None,
        bbox: Sequence | np.ndarray | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        """Set the marked pictures; those of an earlier call are forgotten.

        So is what :meth:`adapt` learned from them.

        Args:
            images: one picture or a list of S.
            keypoints: (K, 2) for one picture, (S, K, 2) for a list; NaN where a picture
                does not show the point.
            skeleton: 0-based index pairs; None or empty: no edges.
            visibility: > 0 where the point is marked, (K,) or (S, K).
            bbox: box of the marked object, (4,) or (S, 4); None is the whole picture,
                as for a query without box.
            names: of the keypoints, K.

        Raises:
            ConfigError: nothing is marked, a point lies outside its picture, or shapes
                disagree; the earlier support is then still set.
            InstanceLoadError: a picture can't be read.
        """
        shots = read_shots(images, keypoints, visibility, bbox)
        category = make_category(len(shots[0].keypoints), skeleton, names)
        with self._lock:
            self.reset_adaptation()
            self._support = self._encode_support(shots, category)

    def add_support(
        self,
        images: Inputs,
        keypoints: Sequence | np.ndarray,
        visibility: Sequence | np.ndarray | None = None,
        bbox: Sequence | np.ndarray | None = None,
    ) -> None:
        """Add marked pictures of the same keypoints, see :meth:`set_support`.

        Raises:
            ConfigError: as :meth:`set_support`; or no support is set, or it has another
                number of keypoints.
            InstanceLoadError: a picture can't be read.
        """
        shots = read_shots(images, keypoints, visibility, bbox)
        with self._lock:
            support = self._need_support()
            given, expected = len(shots[0].keypoints), support.category.num_keypoints
            if given != expected:
                raise ConfigError(
                    f'add_support: expected {expected} keypoints as in the support '
                    f'that is set, got {given}; mark missing ones as not visible'
                )
            added = self._encode_support(shots, support.category)
            self._support = join(self.model, support, added)

    def adapt(
        self,
        steps: int = STEPS,
        lr: float | None = None,
        seed: int = 0,
        pictures: Inputs | None = None,
        bboxes: Boxes | None = None,
        show_progress: bool = False,
    ) -> Adaptation:
        """Train a little on the marked pictures, and on some that nobody marked.

        Only the parameters change that the model names (``adaptable_parameters``), and
        no file. Where the loss on other crops of the pictures does not fall, the model
        stays as it was. A second call starts from the model of the checkpoint again.
        Other threads may predict meanwhile, with the model as it was.

        Args:
            steps: of training.
            lr: learning rate; None takes the model's own.
            seed: the same seed, pictures and steps give the same model.
            pictures: without marks, e.g. those that shall be predicted; some of them
                are used, as far as the model is sure of its points. What can't be read
                is left out. One marked picture without any teaches nothing.
            bboxes: of the objects in them, see :meth:`iterate`.
            show_progress: a bar on stderr.

        Returns:
            What became of the loss, and whether the adapted model is used.

        Raises:
            ConfigError: no support is set, one shows no keypoint inside its box, the
                model has nothing to adapt, or fewer steps than one.
        """
        check_at_least('steps', steps, 1)
        with self._lock:
            self.reset_adaptation()
            support, model = self._need_support(), deepcopy(self.model)
        unmarked = []
        if pictures is not None:
            unmarked = self._find_sure(model, support, pictures, bboxes)
        with Progress(console=Console(stderr=True), disable=not show_progress) as bar:
            task = bar.add_task('adapting to the pictures', total=steps)
            done = adapt_model(
                *(model, self.pipeline, support.shots, unmarked, support.category),
                *(steps, lr, seed),
                advance=lambda: bar.advance(task),
            )
        with self._lock:
            # another thread may have marked another object meanwhile
            is_current = self._need_support().category is support.category
            if done.is_kept and is_current:
                self._unadapted, self.model = self.model, model
                self._encode_again()
        return done

    def reset_adaptation(self) -> None:
        """Make the model that of the checkpoint again."""
        with self._lock:
            if self._unadapted is not None:
                self.model, self._unadapted = self._unadapted, None
                self._encode_again()

    def _encode_again(self) -> None:
        """Encode the marked pictures with the model of now."""
        support = self._need_support()
        self._support = self._encode_support(support.shots, support.category)

    def _find_sure(
        self,
        model: nn.Module,
        support: Support,
        pictures: Inputs,
        bboxes: Boxes | None,
    ) -> list[Shot]:
        """Instances with the points that the model is sure of, spread over all."""
        sources = find_sources(pictures)
        skipped: list[SkippedInput] = []
        frames = spread_frames(sources, MAX_UNMARKED, skipped)
        tasks = self._tasks(frames, box_finder(bboxes, sources), True, skipped)
        found = predict_tasks(model, support, tasks, MAX_UNMARKED, self._lock)
        shots = []
        for result in found:
            sure = result.confidence > MIN_CONFIDENCE
            for row in np.flatnonzero(sure.any(axis=1)):
                points = np.where(sure[row, :, None], result.keypoints[row], 0.0)
                shots.append(Shot(result.image, points, sure[row], result.boxes[row]))
        return shots[:MAX_UNMARKED]

    def __call__(self, inputs: Inputs, *args, **options) -> list[InferenceResult]:
        """All results of :meth:`iterate`, which tells the arguments, as a list."""
        return list(self.iterate(inputs, *args, **options))

    def iterate(
        self,
        inputs: Inputs,
        bboxes: Boxes | None = None,
        batch_size: int = 16,
        every: int = 1,
        keep_images: bool = False,
        skipped: list[SkippedInput] | None = None,
    ) -> Iterator[InferenceResult]:
        """Predict pictures and videos, one result after the other.

        Only one batch is in memory, so folders and videos may be of any length.

        Args:
            inputs: a picture (path, array, Pillow image), a folder, a pattern such as
                ``'frames/*.png'``, a video, or a list of these.
            bboxes: instances, (x, y, w, h): (N, 4) for one input; a list with one entry
                per input; a dictionary by path, of every input; or a function from a
                BGR picture to (N, 4), as a detector is. None, also as an entry, is the
                whole picture. Boxes of a video hold in every frame.
            batch_size: instances per batch.
            every: of a video, predict every n-th frame.
            keep_images: hand the pictures out in ``InferenceResult.image``.
            skipped: a list that receives the inputs, frames and boxes that can't be
                used, while the others go on; None raises at the first one.

        Raises:
            ConfigError: no support is set, or an argument is impossible.
            MissingDataError: there is no such file.
            InstanceLoadError: an input can't be read and ``skipped`` is None.
        """
        self._need_support()
        check_at_least('batch_size', batch_size, 1)
        check_at_least('every', every, 1)
        sources = find_sources(inputs)
        find_boxes = box_finder(bboxes, sources)
        frames = (
            (place, frame)
            for place, source in enumerate(sources)
            for frame in read_frames(source, every, skipped)
        )
        tasks = self._tasks(frames, find_boxes, keep_images, skipped)
        return self.iterate_cropped(tasks, batch_size)

    def crop(self, frame: Frame, boxes: object = None) -> Task:
        """Crop the objects of a picture, for any number of predictions.

        Args:
            frame: the picture.
            boxes: (x, y, w, h) in pixels, (N, 4); None is the whole picture.

        Raises:
            ConfigError: a box has no area inside the picture.
            ImageDecodeError: the picture is too small.
        """
        return make_task(frame, boxes, self.pipeline)

    def iterate_cropped(
        self, tasks: Iterable[Task], batch_size: int = 16
    ) -> Iterator[InferenceResult]:
        """Predict what :meth:`crop` made of pictures, one result after the other.

        Raises:
            ConfigError: no support is set.
        """
        with self._lock:
            support, model = self._need_support(), self.model
        return predict_tasks(model, support, tasks, batch_size, self._lock)

    def _tasks(
        self,
        frames: Iterable[tuple[int, Frame]],
        find_boxes: Callable[[int, Frame], object],
        keep_images: bool,
        skipped: list[SkippedInput] | None,
    ) -> Iterator[Task]:
        """Crop picture after picture; each comes with the place of its source."""
        for place, frame in frames:
            task, reasons = None, None if skipped is None else []
            try:
                boxes = find_boxes(place, frame)
                task = make_task(frame, boxes, self.pipeline, keep_images, reasons)
            except (InstanceLoadError, ConfigError) as error:
                if skipped is None:
                    raise type(error)(f'{frame.source}: {error}') from error
                reasons.append(str(error))
            for reason in reasons or ():
                skipped.append(SkippedInput(frame.source, frame.number, reason))
            if task is not None and (task.packed or not reasons):
                yield task

    def _need_support(self) -> Support:
        support = self._support
        if support is None:
            raise ConfigError('no support is set: call set_support first')
        return support

    def _encode_support(self, shots: Sequence[Shot], category: Category) -> Support:
        packed = [
            self.pipeline.pack(s.image, s.bbox, s.keypoints, s.is_visible)
            for s in shots
        ]
        with self._lock:
            inputs = to_inputs(self.model, packed, category)
            features = self.model.encode_instances(inputs, roles=('support',))
            return relate(
                *(self.model, category, features.as_support),
                *(as_episode(inputs), shots),
            )
