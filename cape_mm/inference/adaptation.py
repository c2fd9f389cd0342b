"""A few steps of training on the marked pictures themselves, taken back at will.

A few dozen augmented crops of the supports go through the backbone once. Every step
then draws episodes from them: one crop to be predicted, of a picture, from crops of the
others (of the same picture where there is but one). Some crops are held out, and tell
whether it helped.
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
from ..models.estimators import InstanceFeatures
from ..models.heads import QueryTargets
from ..structures import EpisodeInputs
from .cropping import CropPipeline, to_inputs
from .support import Shot

STEPS = 60
LEARNING_RATE = 1e-3
NUM_CROPS = 24
CROPS_OF_ONE = 3
"""Crops of a group, where only one picture is marked."""
MAX_PICTURES = 6
"""Of a group: so many are crops of different pictures."""
HELD_OUT = 0.25
EPISODES_PER_STEP = 4
CROPS_PER_BATCH = 8
MAX_TRIES = 10
"""Augmentations that are drawn until a crop shows a keypoint."""

Advance = Callable[[], object]


@dataclass(frozen=True)
class Adaptation:
    """What :func:`adapt_model` did.

    Attributes:
        num_steps: steps of training.
        loss_before: of the model as it was, on pairs of held-out crops.
        loss_after: of the adapted model on the same.
    """

    num_steps: int
    loss_before: float
    loss_after: float

    @property
    def is_kept(self) -> bool:
        """Whether the adapted model is the better one."""
        return self.loss_after < self.loss_before  # False where it became NaN

    def __str__(self) -> str:
        losses = f'{self.loss_before:.3f} -> {self.loss_after:.3f}'
        told = f'loss on held-out crops of the supports {losses} in {self.num_steps}'
        if self.is_kept:
            return f'adapted to the supports: {told} steps'
        return f'not adapted, the model is the one it was: {told} steps did not fall'


@dataclass(frozen=True)
class Crops:
    """Augmented crops of the supports, encoded; N of them.

    Attributes:
        features: of the crops in both roles, N rows.
        keypoints: (x, y) in [0, 1], (N, K, 2), zero where not visible.
        is_visible: bool (N, K).
        hops: graph distances of the category, int64 (1, K, K).
        groups: rows of crops that were mirrored and painted alike.
        pictures: which support each row is of.
    """

    features: InstanceFeatures
    keypoints: torch.Tensor
    is_visible: torch.Tensor
    hops: torch.Tensor
    groups: list[list[int]]
    pictures: list[int]

    def episodes(self, group: Sequence[int]) -> list[tuple[list[int], int]]:
        """Rows of the supports and of the query of every episode of a group."""
        found = []
        for query in group:
            others = [r for r in group if self.pictures[r] != self.pictures[query]]
            same = [[row] for row in group if row != query]
            found += [(shots, query) for shots in ([others] if others else same)]
        return found


def plan_groups(num_shots: int, seed: int) -> list[list[int]]:
    """Which pictures are cropped together, as many crops in all as there is time for.

    Args:
        num_shots: S.
        seed: draws among more pictures than a group holds.
    """
    rng = np.random.default_rng(seed)
    size = CROPS_OF_ONE if num_shots == 1 else min(num_shots, MAX_PICTURES)
    groups = []
    for _ in range(NUM_CROPS // size):
        chosen = rng.permutation(num_shots)[:size] if num_shots > 1 else [0] * size
        groups.append([int(picture) for picture in chosen])
    return groups


def encode_crops(
    model: nn.Module,
    pipeline: CropPipeline,
    shots: Sequence[Shot],
    category: Category,
    groups: Sequence[Sequence[int]],
    seed: int = 0,
    advance: Advance = lambda: None,
) -> Crops:
    """Crop the supports at random and encode the crops.

    Args:
        model: of the crops.
        pipeline: that of evaluation.
        shots: the marked pictures.
        category: of all of them.
        groups: see :func:`plan_groups`.
        seed: of the augmentation.
        advance: called after every crop.

    Raises:
        ConfigError: a support shows no keypoint inside its box.
    """
    augmenting = pipeline.augmenting()
    pictures = [picture for group in groups for picture in group]
    packed = []
    rng = np.random.default_rng(seed)
    for group in groups:
        shared = int(rng.integers(2**32))
        for picture in group:
            packed.append(_crop(augmenting, shots[picture], picture, rng, shared))
    parts, points, visible = [], [], []
    for start in range(0, len(packed), CROPS_PER_BATCH):
        batch = packed[start : start + CROPS_PER_BATCH]
        inputs = to_inputs(model, batch, category)
        parts.append(model.encode_instances(inputs))
        points.append(inputs.support_keypoints[:, 0])
        visible.append(inputs.support_visible[:, 0])
        for _ in batch:
            advance()
    ends = np.cumsum([0, *map(len, groups)]).tolist()
    return Crops(
        features=InstanceFeatures(
            tuple(map(torch.cat, zip(*(part.as_support for part in parts)))),
            tuple(map(torch.cat, zip(*(part.as_query for part in parts)))),
        ),
        keypoints=torch.cat(points),
        is_visible=torch.cat(visible),
        hops=inputs.hops[:1],
        groups=[list(range(*pair)) for pair in zip(ends, ends[1:])],
        pictures=pictures,
    )


def _crop(
    pipeline: CropPipeline,
    shot: Shot,
    picture: int,
    rng: np.random.Generator,
    episode_seed: int,
) -> dict:
    """An augmented crop that shows a keypoint."""
    marks = shot.keypoints, shot.is_visible
    for _ in range(MAX_TRIES):
        try:
            return pipeline.pack(shot.image, shot.bbox, *marks, rng, episode_seed)
        except EmptyAnnotationError as error:
            problem = error
    raise ConfigError(
        f'the model can not be adapted: support {picture + 1} shows no keypoint inside '
        f'its box. Correct the box, or use supports whose keypoints are visible.'
    ) from problem


def batch_loss(
    model: nn.Module, crops: Crops, episodes: Sequence[tuple[list[int], int]]
) -> torch.Tensor:
    """Sum of the model's losses on episodes of equally many supports."""
    device = crops.keypoints.device
    supports = torch.tensor([shots for shots, _ in episodes], device=device)
    queries = torch.tensor([query for _, query in episodes], device=device)
    is_visible = crops.is_visible[supports]
    no_images = crops.keypoints.new_zeros(0)
    inputs = EpisodeInputs(
        support_images=no_images,
        query_images=no_images,
        support_keypoints=crops.keypoints[supports],
        support_visible=is_visible,
        hops=crops.hops.expand(len(episodes), -1, -1),
        query_to_episode=torch.arange(len(episodes), device=device),
        num_steps=int(is_visible.any(dim=1).sum(dim=1).max()),
    )
    features = InstanceFeatures(
        tuple(part[supports.flatten()] for part in crops.features.as_support),
        tuple(part[queries] for part in crops.features.as_query),
    )
    targets = QueryTargets(crops.keypoints[queries], crops.is_visible[queries])
    losses = model.loss_from_features(features, inputs, targets)
    return sum(value for name, value in losses.items() if name.startswith('loss'))


def mean_loss(
    model: nn.Module, crops: Crops, groups: Sequence[list[int]], seed: int
) -> float:
    """Mean loss on all episodes of some groups; chance plays the same part each time.

    Args:
        model: has losses.
        crops: encoded crops.
        groups: of them.
        seed: of what the head's loss draws.
    """
    with own_chance(seed, crops.keypoints.device), torch.no_grad():
        losses = [batch_loss(model, crops, crops.episodes(group)) for group in groups]
    return float(torch.stack(losses).mean())


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
    known = dict(model.named_parameters())
    chosen = {name: known[name] for name in model.adaptable_parameters()}
    if not chosen:
        raise ConfigError(
            f'the model can not be adapted: its {type(model.head).__name__} has no '
            f'parameters that learn'
        )
    return chosen


def adapt_model(
    model: nn.Module,
    crops: Crops,
    steps: int = STEPS,
    lr: float = LEARNING_RATE,
    seed: int = 0,
    advance: Advance = lambda: None,
) -> Adaptation:
    """Train the parameters that the model names.

    Args:
        model: the model, changed in place.
        crops: of the supports.
        steps: of AdamW, each on a few episodes.
        lr: learning rate.
        seed: of all that is drawn; the global random state is not touched.
        advance: called after every step.

    Raises:
        ConfigError: the model has no parameters that learn.
    """
    parameters = list(adaptable(model).values())
    num_held = max(1, round(HELD_OUT * len(crops.groups)))
    held, used = crops.groups[:num_held], crops.groups[num_held:]
    episodes = [episode for group in used for episode in crops.episodes(group)]
    loss_before = mean_loss(model, crops, held, seed)
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(parameters, lr, weight_decay=0.0)
    with own_chance(seed, crops.keypoints.device), torch.enable_grad():
        for _ in range(steps):
            chosen = rng.integers(len(episodes), size=EPISODES_PER_STEP)
            loss = batch_loss(model, crops, [episodes[place] for place in chosen])
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            for weight, gradient in zip(parameters, gradients):
                weight.grad = gradient
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            advance()
    optimizer.zero_grad()
    return Adaptation(steps, loss_before, mean_loss(model, crops, held, seed))


@torch.no_grad()
def restore(model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Put values of parameters back, by name."""
    known = dict(model.named_parameters())
    for name, value in weights.items():
        known[name].copy_(value)
