"""Small COCO-keypoint trees with real JPEGs, and pipelines that are fast on them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from cape_mm.datasets import MP100EpisodeDataset
from cape_mm.datasets.transforms import (
    EpisodeFlip,
    InstanceCrop,
    LoadInstanceImage,
    PackInstance,
    RandomInstanceAffine,
    RandomPhotometric,
    WarpInstance,
)

INPUT_SIZE = (32, 32)
OMIT = object()
"""Value of an override that removes the key."""


class CocoTree:
    """A data root that grows: categories, images on disk, annotations.

    Every image has its own grey level (:meth:`level`), so that a loaded picture tells
    which file it came from.
    """

    def __init__(self, root: Path, image_folder: str = 'images') -> None:
        self.root = Path(root)
        self.image_folder = self.root / image_folder
        self.content: dict[str, Any] = dict(images=[], annotations=[], categories=[])
        self.root.mkdir(parents=True, exist_ok=True)

    def add_category(self, category_id: int, num_keypoints: int = 4, **fields) -> int:
        """A category whose skeleton is a chain; ``fields`` override."""
        chain = [[i, i + 1] for i in range(num_keypoints - 1)]
        category = dict(
            id=category_id,
            name=f'cat{category_id}',
            supercategory='thing',
            keypoints=[f'point {i}' for i in range(num_keypoints)],
            skeleton=chain,
        )
        self.content['categories'].append({**category, **fields})
        return category_id

    def add_image(self, folder: str = 'cat', size: tuple[int, int] = (48, 40)) -> int:
        """A JPEG of one grey level, (w, h) pixels; returns its id from 1."""
        image_id = len(self.content['images']) + 1
        file_name = f'{folder}/{image_id:04d}.jpg'
        path = self.image_folder / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.full((size[1], size[0], 3), self.level(image_id), np.uint8)
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        record = dict(id=image_id, file_name=file_name, width=size[0], height=size[1])
        self.content['images'].append(record)
        return image_id

    def add_annotation(self, image_id: int, category_id: int, **fields) -> int:
        """A usable annotation; ``fields`` override, ``OMIT`` removes a key."""
        ann_id = 100 + len(self.content['annotations'])
        num_keypoints = self._num_keypoints(category_id)
        points = np.random.default_rng(ann_id).uniform(12, 28, (num_keypoints, 2))
        annotation = dict(
            id=ann_id,
            image_id=image_id,
            category_id=category_id,
            bbox=[10.0, 10.0, 21.0, 21.0],
            area=400.0,
            iscrowd=0,
            num_keypoints=num_keypoints,
            keypoints=[value for x, y in points for value in (float(x), float(y), 2)],
        )
        annotation.update(fields)
        self.content['annotations'].append(
            {key: value for key, value in annotation.items() if value is not OMIT}
        )
        return ann_id

    def fill(
        self, category_id: int, num_images: int, per_image: int = 1, **category_fields
    ) -> list[int]:
        """A whole category in a folder of its own; returns its annotation ids."""
        self.add_category(category_id, **category_fields)
        ids = []
        for _ in range(num_images):
            image_id = self.add_image(f'cat{category_id}')
            for _ in range(per_image):
                ids.append(self.add_annotation(image_id, category_id))
        return ids

    def write(self, name: str = 'data.json') -> Path:
        """Write the annotation file into the data root."""
        path = self.root / name
        path.write_text(json.dumps(self.content), encoding='utf-8')
        return path

    def image_path(self, image_id: int) -> Path:
        """File of an image."""
        return self.image_folder / self.content['images'][image_id - 1]['file_name']

    def image_of(self, ann_id: int) -> int:
        """Image id of an annotation."""
        return self.content['annotations'][ann_id - 100]['image_id']

    @staticmethod
    def level(image_id: int) -> int:
        """Grey level of an image, at least 5 apart for ids below 40."""
        return 30 + 5 * image_id

    def _num_keypoints(self, category_id: int) -> int:
        for category in self.content['categories']:
            if category['id'] == category_id:
                return len(category['keypoints']) or 4
        return 4


def train_pipeline(input_size: tuple[int, int] = INPUT_SIZE) -> list:
    """All augmentations of the recipe."""
    return [
        LoadInstanceImage(),
        InstanceCrop(),
        RandomInstanceAffine(),
        EpisodeFlip(),
        WarpInstance(input_size),
        RandomPhotometric(),
        PackInstance(hide_outside=True),
    ]


def eval_pipeline(input_size: tuple[int, int] = INPUT_SIZE) -> list:
    """The official crop and nothing else."""
    return [
        LoadInstanceImage(),
        InstanceCrop(),
        WarpInstance(input_size),
        PackInstance(hide_outside=False),
    ]


def open_tree(tree: CocoTree, train: bool = False, **kwargs) -> MP100EpisodeDataset:
    """The data set of a tree, for training or for evaluation."""
    pipeline = train_pipeline() if train else eval_pipeline()
    return MP100EpisodeDataset(
        tree.write().name,
        data_root=str(tree.root),
        pipeline=pipeline,
        test_mode=not train,
        **kwargs,
    )


def load_batches(
    dataset: MP100EpisodeDataset,
    sampler: Iterable,
    num_workers: int,
    collate: Callable = pseudo_collate,
) -> list[dict]:
    """All batches of a data loader, batch size 4."""
    loader = DataLoader(
        dataset,
        batch_size=4,
        sampler=sampler,
        num_workers=num_workers,
        collate_fn=collate,
    )
    return list(loader)


def all_tensors(item: dict) -> dict[str, torch.Tensor]:
    """Every tensor of a data set item, by name."""
    sample = item['data_samples']
    return {
        **{f'{side} image': image for side, image in item['inputs'].items()},
        **{f'gt {k}': v for k, v in sample.gt_instances.items()},
        **{f'support {k}': v for k, v in sample.support_instances.items()},
        'crop_to_image': torch.as_tensor(sample.crop_to_image),
    }


def assert_same(first: dict, second: dict) -> None:
    """Two data set items are equal to the last bit."""
    left, right = all_tensors(first), all_tensors(second)
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert torch.equal(value, right[key]), key


def global_rng_states() -> tuple:
    """States of the generators that nothing of ours may touch."""
    numpy_state = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numpy_state, torch.get_rng_state().tolist()


def seed_global_rngs(seed: int) -> None:
    """Seed the generators that nothing of ours may look at."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
