"""The training data's loader beside a plain loop over the same pictures, in turn.

The plain loop reads with ``cv2.imread`` and crops with ``cv2.warpAffine``, nothing
else: no labels, no augmentation. Pictures of 1,000 x 1,000 pixels are generated with a
photograph's spectrum and size in bytes; the box is the whole picture.

    python benchmarks/loading.py configs/cape_mp100.py --rounds 8
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS
from torch.utils.data import DataLoader, Dataset

from cape_mm.analysis.benchmark import alternate, ratio, shown, summarise
from cape_mm.analysis.random_model import complete_sizes
from cape_mm.apis import load_config, parse_cfg_options
from cape_mm.datasets import collate_episodes
from cape_mm.structures import Episode
from cape_mm.structures.geometry import box_to_square, crop_matrix

SIDE, NUM_KEYPOINTS = 1000, 17


def make_picture(rng: np.random.Generator) -> np.ndarray:
    """Coloured noise whose amplitudes fall as a photograph's, uint8 (SIDE, SIDE, 3)."""
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    radius[0, 0] = 1 / SIDE
    noise = rng.normal(size=(4, SIDE, SIDE))
    smooth = np.fft.ifft2(np.fft.fft2(noise) / radius**1.5).real
    planes = smooth[0] + 0.3 * smooth[1:]  # mostly grey, as photographs are
    planes -= planes.mean(axis=(1, 2), keepdims=True)
    planes *= 45 / planes.std(axis=(1, 2), keepdims=True)
    return np.clip(planes + 128, 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()


def write_annotations(path: Path, names: list[str]) -> None:
    """One annotation per file, of one category."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0.1 * SIDE, 0.9 * SIDE, (NUM_KEYPOINTS, 3)).round(2)
    points[:, 2] = 2
    box = dict(bbox=[0, 0, SIDE, SIDE], area=SIDE * SIDE, iscrowd=0, category_id=0)
    labels = dict(box, num_keypoints=NUM_KEYPOINTS, keypoints=points.ravel().tolist())
    size, chain = dict(width=SIDE, height=SIDE), [[i, i + 1] for i in range(16)]
    content = dict(
        images=[dict(id=i, file_name=name, **size) for i, name in enumerate(names)],
        annotations=[dict(id=i, image_id=i, **labels) for i in range(len(names))],
        categories=[dict(id=0, name='generated', keypoints=[], skeleton=chain)],
    )
    path.write_text(json.dumps(content))


class PlainCrops(Dataset):
    """``cv2.imread`` and ``cv2.warpAffine`` of whole pictures."""

    def __init__(self, paths: list[Path], side: int) -> None:
        self.paths, self.size = [str(path) for path in paths], (side, side)
        center, crop_side = box_to_square(np.array([0, 0, SIDE - 1, SIDE - 1]))
        self.matrix = crop_matrix(center, crop_side, self.size)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        return cv2.warpAffine(cv2.imread(self.paths[index]), self.matrix, self.size)


def main() -> None:
    """Measure both loaders."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('config')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--num-pictures', type=int, default=200)
    parser.add_argument('--num-workers', type=int, default=2)
    parser.add_argument('--cfg-options', nargs='+')
    args = parser.parse_args()
    cfg = load_config(args.config, parse_cfg_options(args.cfg_options))
    DefaultScope.get_instance('loading', scope_name=cfg.get('default_scope', 'mmpose'))
    with tempfile.TemporaryDirectory() as name:
        root, rng = Path(name), np.random.default_rng(0)
        (root / 'images').mkdir()
        paths = [root / f'images/{i:05d}.jpg' for i in range(args.num_pictures)]
        for path in paths:
            quality = [cv2.IMWRITE_JPEG_QUALITY, 80]
            cv2.imwrite(str(path), make_picture(rng), quality)
        write_annotations(root / 'pictures.json', [path.name for path in paths])
        kind = dict(type='MP100EpisodeDataset', data_root=name)
        pipeline = cfg.train_dataloader.dataset.pipeline
        dataset = DATASETS.build(
            dict(kind, ann_file='pictures.json', pipeline=pipeline)
        )
        episodes = [Episode(0, (i,), (i + 1,), i, i) for i in range(0, len(paths), 2)]
        batch = cfg.train_dataloader.get('batch_size', 1)
        shared = dict(num_workers=args.num_workers)
        shared['persistent_workers'] = args.num_workers > 0
        ours = DataLoader(
            dataset, batch, sampler=episodes, collate_fn=collate_episodes, **shared
        )
        side = complete_sizes(cfg, {}, training=True)['input_size']
        plain = DataLoader(PlainCrops(paths, side), 2 * batch, **shared)
        works = dict(plain=lambda: list(plain), ours=lambda: list(ours))
        alternate(works, 1)  # starts the processes
        times = alternate(works, args.rounds)
    for label, values in times.items():
        each = summarise([value / len(paths) for value in values])
        print(f'{label}: {shown(each)} ms per picture')
    print(f'plain over ours: {shown(ratio(times["plain"], times["ours"]))}')


if __name__ == '__main__':
    main()
