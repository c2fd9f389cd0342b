"""Made pictures of the sizes that an annotation file names.

For measuring how fast the official protocol is where MP-100's own pictures are not at
hand: as many files, as many pixels, about as many bytes. Their content is noise.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

JPEG_QUALITY = 90
COARSE, FINE = 24, 14
"""Coloured blotches per side, and the spread of the grain on them."""

Job = tuple[Path, int, int, int]


def make_picture(job: Job) -> None:
    """Write one picture.

    Args:
        job: path, width, height and seed.
    """
    path, width, height, seed = job
    rng = np.random.default_rng(seed)
    blotches = rng.integers(0, 256, (COARSE, COARSE, 3), dtype=np.uint8)
    grain_size = (height // 2 + 1, width // 2 + 1, 3)
    grain = rng.integers(-FINE, FINE + 1, grain_size, dtype=np.int16)
    picture = cv2.resize(blotches, (width, height), interpolation=cv2.INTER_CUBIC)
    picture = picture.astype(np.int16) + cv2.resize(grain, (width, height))
    path.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    if not cv2.imwrite(str(path), picture.clip(0, 255).astype(np.uint8), options):
        raise OSError(f'{path}: not written')


def list_jobs(content: dict, folder: Path) -> list[Job]:
    """One job per image that has an annotation."""
    used = {annotation['image_id'] for annotation in content['annotations']}
    return [
        (folder / image['file_name'], image['width'], image['height'], seed)
        for seed, image in enumerate(content['images'])
        if image['id'] in used
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write ``images`` and ``annotations`` below the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('annotations', type=Path, help='MP-100 annotation file')
    parser.add_argument('out', type=Path, help='data root to create')
    args = parser.parse_args(arguments)
    jobs = list_jobs(json.loads(args.annotations.read_text()), args.out / 'images')
    with ProcessPoolExecutor() as pool:
        list(pool.map(make_picture, jobs, chunksize=8))
    folder = args.out / 'annotations'
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(args.annotations, folder)
    print(f'{len(jobs):,} pictures: {args.out}')


if __name__ == '__main__':
    main()
