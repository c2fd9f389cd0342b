"""From a picture and a box to what the model sees: the config's own test pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import TRANSFORMS

from ..datasets.categories import Category
from ..datasets.collate import collate_episodes
from ..datasets.episode_packing import pack_episode
from ..datasets.instance_view import ITSELF
from ..datasets.transforms import (
    EpisodeColor,
    EpisodeFlip,
    InstanceCrop,
    PackInstance,
    RandomInstanceAffine,
    RandomPhotometric,
    WarpInstance,
)
from ..errors import ConfigError
from ..structures import Episode, EpisodeInputs
from ..utils.devices import one_opencv_thread
from .boxes import whole_image

LOADERS = ('LoadInstanceImage', 'LoadImageFromFile')

ANY_OBJECT = Category(0, 'query', '', 1, (), ())
"""A query on its own has no keypoints; it is given one that nobody looks at."""


def pipeline_of(cfg: Config) -> list[dict]:
    """Steps of a config's evaluation pipeline.

    Raises:
        ConfigError: there is none.
    """
    loader = cfg.get('test_dataloader') or {}
    steps = (loader.get('dataset') or {}).get('pipeline')
    if not steps:
        raise ConfigError(
            'the config has no test_dataloader.dataset.pipeline, which tells how a '
            'picture is cropped'
        )
    return steps


class CropPipeline:
    """Crops instances as the config's evaluation does, and makes them tensors.

    It keeps nothing between calls, so threads may share it.

    Args:
        cfg: config with ``test_dataloader.dataset.pipeline``.

    Raises:
        ConfigError: there is no such pipeline.
    """

    def __init__(self, cfg: Config) -> None:
        scope = cfg.get('default_scope') or 'mmpose'
        with DefaultScope.overwrite_default_scope(scope):
            self.steps = [
                TRANSFORMS.build(step)
                for step in pipeline_of(cfg)
                if step['type'].split('.')[-1] not in LOADERS
            ]

    def augmenting(self) -> CropPipeline:
        """The same crops, augmented at random as in training.

        What the instances of an episode must share, a mirror image and its colours,
        follows from ``episode_seed`` of :meth:`pack`.
        """
        steps = []
        for step in self.steps:
            is_packing = isinstance(step, PackInstance)
            steps.append(PackInstance(hide_outside=True) if is_packing else step)
            if isinstance(step, InstanceCrop):
                steps += [RandomInstanceAffine(prob=1.0), EpisodeFlip()]
            if isinstance(step, WarpInstance):
                steps += [EpisodeColor(hue=30.0, mirror_prob=0.0), RandomPhotometric()]
        pipeline = copy(self)
        pipeline.steps = steps
        return pipeline

    def crop_size(self) -> tuple[int, int]:
        """(H, W) of what it makes, in pixels."""
        picture = np.zeros((2, 2, 3), np.uint8)
        return tuple(self.pack(picture, whole_image((2, 2))[0])['image'].shape[-2:])

    def pack(
        self,
        image: np.ndarray,
        bbox: np.ndarray,
        keypoints: np.ndarray | None = None,
        is_visible: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
        episode_seed: int = 0,
    ) -> dict:
        """One instance through the pipeline.

        Args:
            image: BGR, uint8 (H, W, 3).
            bbox: clean box, (4,).
            keypoints: (x, y) in pixels of the image, (K, 2); None for a query.
            is_visible: bool (K,); None for a query.
            rng: of augmentation.
            episode_seed: of what augmentation does alike to a whole episode.

        Returns:
            What ``PackInstance`` returns.
        """
        if keypoints is None:
            keypoints = bbox[None, :2] + bbox[None, 2:] / 2
            is_visible = np.ones(1, dtype=bool)
        results = dict(
            img=image,
            bbox=bbox,
            keypoints_orig=keypoints.astype(np.float32),
            is_visible=is_visible,
            img_path='',
            ann_id=0,
            img_id=0,
            rng=rng,
            episode_seed=episode_seed,
        )
        with one_opencv_thread():
            for step in self.steps:
                results = step(results)
        return results


def to_inputs(
    model: torch.nn.Module, packed: Sequence[dict], category: Category = ANY_OBJECT
) -> EpisodeInputs:
    """A batch in which every instance is its own support and its own query.

    Args:
        model: its data preprocessor normalises and moves the batch.
        packed: what :meth:`CropPipeline.pack` returned, N of them.
        category: of all of them.
    """
    episode = Episode(category.id, (0,), (ITSELF,))
    items = [pack_episode(episode, category, [one], [one], []) for one in packed]
    batch = collate_episodes(items)
    batch['inputs']['query'] = batch['inputs']['support']  # normalised once
    return model.data_preprocessor(batch, False)['inputs']
