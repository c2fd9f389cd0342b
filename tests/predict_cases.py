"""A tiny trained-looking checkpoint, pictures and labels for tests of prediction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from tiny_cape import build_cape, cape_config
from tiny_matching import build_matching, matching_config, open_gates

from cape_mm.inference import CapeInferencer

PIPELINE = [
    dict(type='LoadInstanceImage'),
    dict(type='InstanceCrop', padding=1.25),
    dict(type='WarpInstance', input_size=(64, 64)),
    dict(type='PackInstance', hide_outside=False),
]
KEYPOINTS = np.array([[10.0, 12.0], [40.0, 20.0], [30.0, 50.0], [52.5, 44.25]])
SKELETON = [(0, 1), (1, 2)]
NAMES = ['nose', 'left ear', 'tail', 'Fuß']
SIZE = (64, 60)
"""(w, h) of the pictures."""


def config_of(model: dict) -> Config:
    """A model's config with the test pipeline that prediction needs."""
    return Config(
        dict(
            custom_imports=dict(imports=['cape_mm'], allow_failed_imports=False),
            default_scope='mmpose',
            model=model,
            test_dataloader=dict(dataset=dict(pipeline=PIPELINE)),
        )
    )


def make_config(**model) -> Config:
    """:func:`config_of` the tiny model."""
    return config_of(cape_config(**model))


def write_checkpoint(path: Path, dtype: torch.dtype = torch.float32, **model) -> Path:
    """A checkpoint as MMEngine writes it: random weights, the config's text."""
    weights = build_cape(dtype=dtype, **model).state_dict()
    return _write(path, make_config(**model), weights)


def write_layout_checkpoint(path: Path) -> Path:
    """The same of a model with a layout head that has something to say."""
    model = build_matching(mode='ar')
    open_gates(model.head)
    return _write(path, config_of(matching_config(mode='ar')), model.state_dict())


def _write(path: Path, cfg: Config, weights: dict) -> Path:
    meta = dict(cfg=cfg.pretty_text, experiment_name='tiny_20250101_000000', epoch=1)
    torch.save(dict(meta=meta, state_dict=weights), path)
    return path


def make_picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A smooth random picture, BGR uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)


def write_pictures(folder: Path, names: Sequence[str]) -> list[Path]:
    """A different picture for every name, in the format that its suffix says."""
    paths = []
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = cv2.imencode(path.suffix, make_picture(seed))[1]
        path.write_bytes(content.tobytes())
        paths.append(path)
    return paths


def write_video(path: Path, num_frames: int, size: tuple[int, int] = SIZE) -> Path:
    """A clip of changing pictures, 10 frames per second."""
    codec = cv2.VideoWriter_fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), codec, 10.0, size)
    start, end = make_picture(100, size), make_picture(101, size)
    for number in range(num_frames):
        share = number / max(1, num_frames - 1)
        writer.write(cv2.addWeighted(start, 1 - share, end, share, 0))
    writer.release()
    return path


def write_support(folder: Path, **changes) -> Path:
    """A COCO file with one labelled picture; ``changes`` go to the annotation."""
    write_pictures(folder / 'images', ['marked one.png'])
    triplets = [v for x, y in KEYPOINTS for v in (float(x), float(y), 2)]
    ann = dict(
        id=1,
        image_id=1,
        category_id=1,
        keypoints=triplets,
        bbox=[4.0, 5.0, 55.0, 50.0],
        num_keypoints=len(KEYPOINTS),
        area=2750.0,
    )
    image = dict(id=1, file_name='marked one.png', width=SIZE[0], height=SIZE[1])
    category = dict(id=1, name='mouse', keypoints=NAMES, skeleton=SKELETON)
    content = dict(images=[image], annotations=[ann | changes], categories=[category])
    path = folder / 'annotations' / 'support.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding='utf-8')
    return path


def marked(inferencer: CapeInferencer, seed: int = 0) -> CapeInferencer:
    """The same inferencer with one marked picture."""
    inferencer.set_support(make_picture(seed), KEYPOINTS, SKELETON, names=NAMES)
    return inferencer
