"""Large pictures with the statistics of photographs, and a plain way to read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import Dataset

from ...structures.geometry import box_to_square, crop_matrix

SIDE = 1000
QUALITY = 80
"""About 1.1 bits per pixel, as photographs of that size have."""
SPECTRUM = 1.5
"""Amplitudes fall with this power of the frequency."""
NUM_KEYPOINTS = 17
NUM_INDEXED = 20_000
NUM_CATEGORIES = 100


def write_pictures(folder: Path, number: int, seed: int) -> list[Path]:
    """Write JPEGs and ``pictures.json``, whose boxes are the whole pictures."""
    rng = np.random.default_rng(seed)
    names = [f'images/{i:04d}.jpg' for i in range(number)]
    (folder / 'images').mkdir()
    for name in names:
        img = make_picture(rng)
        cv2.imwrite(str(folder / name), img, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    files = [Path(name).name for name in names]
    write_annotations(folder / 'pictures.json', files, num_categories=1)
    return [folder / name for name in names]


def make_picture(rng: np.random.Generator) -> np.ndarray:
    """Coloured noise with a photograph's spectrum, uint8 (SIDE, SIDE, 3)."""
    frequencies = np.fft.fftfreq(SIDE)
    radius = np.hypot(*np.meshgrid(frequencies, frequencies))
    radius[0, 0] = 1 / SIDE
    noise = rng.normal(size=(4, SIDE, SIDE))
    smooth = np.fft.ifft2(np.fft.fft2(noise) / radius**SPECTRUM).real
    planes = smooth[0] + 0.3 * smooth[1:]  # mostly grey, as photographs are
    planes -= planes.mean(axis=(1, 2), keepdims=True)
    planes *= 45 / planes.std(axis=(1, 2), keepdims=True)
    return np.clip(planes + 128, 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()


def write_index(folder: Path) -> Path:
    """Write a file of :data:`NUM_INDEXED` annotations; their images are empty files."""
    (folder / 'many').mkdir()
    names = [f'{i:05d}.jpg' for i in range(NUM_INDEXED)]
    for name in names:
        (folder / 'many' / name).touch()
    path = folder / 'index.json'
    write_annotations(path, names, NUM_CATEGORIES)
    return path


def write_annotations(path: Path, files: Sequence[str], num_categories: int) -> None:
    """One annotation per file, categories in turn."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0.1 * SIDE, 0.9 * SIDE, (NUM_KEYPOINTS, 3)).round(2)
    points[:, 2] = 2
    annotation = dict(
        bbox=[0, 0, SIDE, SIDE],
        area=SIDE * SIDE,
        iscrowd=0,
        num_keypoints=NUM_KEYPOINTS,
        keypoints=points.ravel().tolist(),
    )
    chain = [[i, i + 1] for i in range(NUM_KEYPOINTS - 1)]
    content = dict(
        images=[
            dict(id=i, file_name=name, width=SIDE, height=SIDE)
            for i, name in enumerate(files)
        ],
        annotations=[
            dict(id=i, image_id=i, category_id=i % num_categories, **annotation)
            for i in range(len(files))
        ],
        categories=[
            dict(id=i, name=f'category {i}', keypoints=[], skeleton=chain)
            for i in range(num_categories)
        ],
    )
    path.write_text(json.dumps(content))


class PlainCrops(Dataset):
    """``cv2.imread`` and ``cv2.warpAffine`` of whole pictures, nothing else.

    Args:
        paths: picture files.
        side: side of the crop in pixels.
    """

    def __init__(self, paths: Sequence[Path], side: int) -> None:
        self.paths = [str(path) for path in paths]
        self.size = (side, side)
        center, crop_side = box_to_square(np.array([0, 0, SIDE - 1, SIDE - 1]))
        self.matrix = crop_matrix(center, crop_side, self.size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        img = cv2.imread(self.paths[index])
        return cv2.warpAffine(img, self.matrix, self.size, flags=cv2.INTER_LINEAR)
