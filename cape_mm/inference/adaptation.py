"""A few steps of training on a user's own pictures, taken back at will.

Each step draws pairs of two different pictures, augmented: the keypoints of one are to
be found in the other. Some are marked by the user; of pictures that nobody marked, the
model's own points serve as far as it is sure of them, so one marked picture is enough.
Two crops of the same picture would not do: they look alike, and a model that learns to
tell their keypoints apart by that gets worse on all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..datasets.categories import Category
from ..errors import ConfigError, EmptyAnnotationError
from ..models.heads import QueryTargets
from ..structures import EpisodeInputs
from .cropping import CropPipeline, to_inputs
from .support import Shot

STEPS = 40
MAX_UNMARKED = 12
"""Pictures of an object that nobody marked; more would take longer, not learn more."""
MIN_CONFIDENCE = 0.5
"""Points that the model is less sure of teach it nothing."""
PAIRS_PER_STEP = 4
HELD_OUT_BATCHES = 3
MAX_TRIES = 10
"""Augmentations that are drawn until a crop shows a keypoint."""

Advance = Callable[[], object]


@dataclass(frozen=True)
class Adaptation:
    """What :func:`adapt_model` did.

    Attributes:
        num_steps: steps of training, 0 where there was nothing to learn from.
        num_marked: pictures whose marks were given.
        num_unmarked: pictures with points that the model was sure of.
        loss_before: of the model as it was, on pairs of other crops of the pictures.
        loss_after: of the adapted model on the same.
    """

    num_steps: int
    num_marked: int
    num_unmarked: int = 0
    loss_before: float = 0.0
    loss_after: float = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether the adapted model is the better one."""
        return self.loss_after < self.loss_before  # False where it became NaN

    def __str__(self) -> str:
        pictures = f'{self.num_marked} marked'
        if self.num_unmarked:
            pictures += f' and {self.num_unmarked} unmarked'
        if not self.num_steps:
            return (
                f'not adapted: {pictures} picture teaches nothing that the model does '
                f'not know; mark a second one, or give it pictures without marks in '
                f'which it is sure of some keypoints'
            )
        told = f'{self.num_steps} steps on {pictures} pictures, loss '
        told += f'{self.loss_before:.3f} -> {self.loss_after:.3f}'
        if self.is_kept:
            return f'adapted: {told}'
        return f'not adapted, the model is the one it was: {told}'


@contextmanager
def own_chance(seed: int, device: torch.device):
    """Draw from a seed inside; outside nobody notices."""
    with torch.random.fork_rng([device] if device.type == 'cuda' else []):
        torch.manual_seed(seed)
        yield


def adaptable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that may change, by name.

    Raises:
        ConfigError: there is none.
    """
    names = set(model.adaptable_parameters())
    chosen = {name: p for name, p in model.named_parameters() if name in names}
    if not chosen:
        raise ConfigError(
            f'the model can not be adapted: its {type(model.head).__name__} has no '
            f'parameters that learn'
        )
    return chosen


class PairSource:
    """Draws pairs of different pictures, cropped and augmented.

    Args:
        model: its preprocessor makes tensors of the crops.
        pipeline: that of evaluation.
        shots: two pictures or more.
        category: of all of them.
        seed: of what is drawn.
    """

    def __init__(
        self,
        model: nn.Module,
        pipeline: CropPipeline,
        shots: Sequence[Shot],
        category: Category,
        seed: int,
    ) -> None:
        self.model = model
        self.pipeline = pipeline.augmenting()
        self.shots = shots
        self.category = category
        self.rng = np.random.default_rng(seed)

    def draw(self) -> tuple[EpisodeInputs, QueryTargets]:
        """Episodes of one support and one query each.

        Raises:
            ConfigError: a picture shows no keypoint inside its box.
        """
        supports, queries = [], []
        for _ in range(PAIRS_PER_STEP):
            pair = self.rng.choice(len(self.shots), 2, replace=False)
            shared = int(self.rng.integers(2**32))
            supports.append(self.crop(pair[0], shared))
            queries.append(self.crop(pair[1], shared))
        both = to_inputs(self.model, [*supports, *queries], self.category)
        num = len(supports)
        inputs = EpisodeInputs(
            support_images=both.support_images[:num],
            query_images=both.query_images[num:],
            support_keypoints=both.support_keypoints[:num],
            support_visible=both.support_visible[:num],
            hops=both.hops[:num],
            query_to_episode=both.query_to_episode[:num],
            num_steps=both.num_steps,
        )
        truth = both.support_keypoints[num:, 0], both.support_visible[num:, 0]
        return inputs, QueryTargets(*truth)

    def crop(self, place: int, episode_seed: int) -> dict:
        """An augmented crop of a picture that shows a keypoint.

        Raises:
            ConfigError: none does.
        """
        shot = self.shots[place]
        marks = shot.keypoints, shot.is_visible
        for _ in range(MAX_TRIES):
            try:
                return self.pipeline.pack(
                    shot.image, shot.bbox, *marks, self.rng, episode_seed
                )
            except EmptyAnnotationError as error:
                problem = error
        raise ConfigError(
            f'the model can not be adapted: support {place + 1} shows no keypoint '
            f'inside its box. Correct the box, or use supports whose keypoints are '
            f'visible.'
        ) from problem


def mean_loss(
    model: nn.Module, pairs: Sequence[tuple[EpisodeInputs, QueryTargets]], seed: int
) -> float:
    """Mean loss of some batches; chance plays the same part each time.

    Args:
        model: has an ``adaptation_loss``.
        pairs: what :meth:`PairSource.draw` gave.
        seed: of what the loss draws.
    """
    with own_chance(seed, pairs[0][0].hops.device), torch.no_grad():
        return float(torch.stack([model.adaptation_loss(*p) for p in pairs]).mean())


def adapt_model(
    model: nn.Module,
    pipeline: CropPipeline,
    shots: Sequence[Shot],
    unmarked: Sequence[Shot],
    category: Category,
    steps: int = STEPS,
    lr: float | None = None,
    seed: int = 0,
    advance: Advance = lambda: None,
) -> Adaptation:
    """Train the parameters that the model names.

    Args:
        model: the model, changed in place.
        pipeline: that of evaluation.
        shots: the marked pictures.
        unmarked: pictures with the points that the model is sure of.
        category: of all of them.
        steps: of AdamW, each on a few pairs.
        lr: learning rate; None takes the model's own.
        seed: of all that is drawn; the global random state is not touched.
        advance: called after every step.

    Raises:
        ConfigError: the model has no parameters that learn, or a marked picture shows
            no keypoint inside its box.
    """
    chosen = adaptable(model)
    parameters = list(chosen.values())
    pictures = [*shots, *unmarked]
    if len(pictures) < 2:
        PairSource(model, pipeline, shots, category, seed).crop(0, 0)
        return Adaptation(0, len(shots))
    held = PairSource(model, pipeline, pictures, category, seed + 1)
    held_pairs = [held.draw() for _ in range(HELD_OUT_BATCHES)]
    loss_before = mean_loss(model, held_pairs, seed)
    source = PairSource(model, pipeline, pictures, category, seed)
    learned = [(p, p.requires_grad) for p in model.parameters()]
    model.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(
        parameters, model.adaptation_lr if lr is None else lr, weight_decay=0.0
    )
    with own_chance(seed, parameters[0].device), torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            model.adaptation_loss(*source.draw()).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            advance()
    optimizer.zero_grad()
    for parameter, flag in learned:
        parameter.requires_grad_(flag)
    counts = len(shots), len(unmarked)
    return Adaptation(steps, *counts, loss_before, mean_loss(model, held_pairs, seed))
