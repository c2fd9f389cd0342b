"""Writes a synthetic data set to disk in MP-100's own layout.

``OUT/annotations/synthetic_split1_{train,val,test}.json`` and
``OUT/images/<category folder>/<file>.jpg``. The files are a function of the spec alone:
every category and every picture has its own generator, so neither the number of workers
nor their order matters.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.utils import ProgressBar

from cape_mm.errors import ConfigError
from cape_mm.utils.atomic_write import replacing
from cape_mm.utils.processes import map_over_processes, num_available_cores

from .categories import make_category
from .rendering import Instance, render_picture
from .spec import GENERATOR, SPLITS, SyntheticSpec, make_spec

Record = dict[str, Any]

_IDS_PER_CATEGORY = 100_000


@dataclass(frozen=True)
class SyntheticSummary:
    """What lies in the output folder.

    Attributes:
        out_dir: the data root.
        is_reused: True where an identical data set was there and nothing was written.
        contents: the annotation file of every split.
    """

    out_dir: Path
    is_reused: bool
    contents: dict[str, dict[str, Any]]

    def __str__(self) -> str:
        lines = [f'{"re-used" if self.is_reused else "wrote"} {self.out_dir}']
        for split, content in self.contents.items():
            lines.append(
                f'  {split}: {len(content["categories"])} categories, '
                f'{len(content["images"]):,} images, '
                f'{len(content["annotations"]):,} annotations'
            )
        return '\n'.join(lines)


def write_synthetic_mp100(
    out_dir: str | Path,
    size: str = 'tiny',
    seed: int = 0,
    num_workers: int | None = None,
    force: bool = False,
    **overrides: Any,
) -> SyntheticSummary:
    """Write a synthetic MP-100, or re-use an identical one.

    The files are written beside ``out_dir`` and renamed at the end: an interrupted run
    leaves nothing that looks like a data set.

    Args:
        out_dir: data root to create; absent, empty, or an earlier output.
        size: key of ``spec.SIZES``, 'tiny' or 'standard'.
        seed: decides every byte, >= 0.
        num_workers: processes; None for one per available core.
        force: replace an earlier output that differs. Anything else than an output of
            this function is never replaced.
        **overrides: fields of :class:`SyntheticSpec`, such as ``num_categories``,
            ``instances_per_category``, ``image_size``.

    Returns:
        What is there now.

    Raises:
        ConfigError: an unknown size, or ``out_dir`` holds something else.
    """
    spec = make_spec(size, seed, overrides)
    out_dir = Path(out_dir).absolute()
    is_reused = False
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        is_reused = _is_identical(out_dir, spec, force)
    if not is_reused:
        with replacing(out_dir) as unfinished:
            _write_files(unfinished, spec, num_workers or num_available_cores())
            if out_dir.is_dir():
                shutil.rmtree(out_dir)
    contents = {split: _read_annotations(out_dir, split) for split in SPLITS}
    return SyntheticSummary(out_dir, is_reused, contents)


def annotation_path(out_dir: Path, split: str) -> Path:
    """Annotation file of a split."""
    return out_dir / 'annotations' / f'synthetic_split1_{split}.json'


def _is_identical(out_dir: Path, spec: SyntheticSpec, force: bool) -> bool:
    """True for a complete identical data set, False where it may be replaced.

    Raises:
        ConfigError: it may not be replaced.
    """
    found = {split: _read_annotations(out_dir, split) for split in SPLITS}
    infos = {split: content.get('info') or {} for split, content in found.items()}
    if not any(info.get('generator') == GENERATOR for info in infos.values()):
        raise ConfigError(
            f'{out_dir} is not empty and holds no synthetic data set of an earlier '
            f'run, so it is left alone. Choose another output folder.'
        )
    problems = [
        f'{key}: found {infos[split].get(key)!r}, wanted {value!r}'
        for split in SPLITS
        for key, value in spec.info(split).items()
        if infos[split].get(key) != value and key != 'description'
    ]
    num_missing = sum(
        not (out_dir / 'images' / image['file_name']).is_file()
        for content in found.values()
        for image in content.get('images', [])
    )
    if num_missing:
        problems.append(f'{num_missing} of its images are missing')
    if problems and not force:
        raise ConfigError(
            f'{out_dir} holds an earlier synthetic data set that differs '
            f'({problems[0]}). Pass --force (force=True) to replace it or choose '
            f'another output folder.'
        )
    return not problems


def _read_annotations(out_dir: Path, split: str) -> dict[str, Any]:
    """Content of an annotation file, {} where it is absent or no JSON object."""
    try:
        content = json.loads(annotation_path(out_dir, split).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_files(out_dir: Path, spec: SyntheticSpec, num_workers: int) -> None:
    (out_dir / 'annotations').mkdir(parents=True)
    category_ids = spec.category_ids()
    all_ids = sorted(i for ids in category_ids.values() for i in ids)
    job = partial(write_category, spec, image_root=out_dir / 'images')
    print(
        f'Drawing {len(all_ids)} categories with {num_workers} worker(s):', flush=True
    )
    bar = ProgressBar(len(all_ids))
    records: dict[int, dict[str, list[Record]]] = {}
    for category_id, result in zip(
        all_ids, map_over_processes(job, all_ids, num_workers)
    ):
        records[category_id] = result
        bar.update()
    print(flush=True)
    for split, ids in category_ids.items():
        joined = {
            key: [record for i in ids for record in records[i][key]]
            for key in ('images', 'annotations', 'categories')
        }
        content = dict(info=spec.info(split), **joined)
        text = json.dumps(content, separators=(',', ':'))
        annotation_path(out_dir, split).write_text(text)


def write_category(
    spec: SyntheticSpec, category_id: int, image_root: Path
) -> dict[str, list[Record]]:
    """Draw all pictures of a category and return its records.

    Args:
        spec: the data set.
        category_id: the category, from 1.
        image_root: folder that the category's folder is created in.

    Returns:
        The lists ``images``, ``annotations`` and ``categories`` of a COCO file.

    Raises:
        OSError: a picture cannot be written.
    """
    category = make_category(category_id, spec.seed)
    # not the category's name, as in MP-100: no reader may rely on that
    folder = image_root / f'{category.name}_body'
    folder.mkdir(parents=True)
    images: list[Record] = []
    annotations: list[Record] = []
    for index, num_instances in enumerate(_instances_per_picture(spec, category_id)):
        rng = np.random.default_rng([spec.seed, category_id, index + 1])
        picture = render_picture(category, rng, spec.image_size, num_instances)
        path = folder / f'{index:05d}.jpg'
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 97))]
        if not cv2.imwrite(str(path), picture.image, quality):
            raise OSError(
                f'{path}: OpenCV could not write the picture; is the disk full?'
            )
        first_id = category_id * _IDS_PER_CATEGORY
        height, width = picture.image.shape[:2]
        image = dict(id=first_id + index, file_name=f'{folder.name}/{path.name}')
        images.append(dict(image, width=width, height=height))
        for instance in picture.instances:
            ids = dict(id=first_id + len(annotations), image_id=image['id'])
            ids |= dict(category_id=category_id)
            annotations.append(ids | _instance_fields(instance))
    record = dict(
        id=category.id,
        name=category.name,
        supercategory=category.family,
        keypoints=category.keypoint_names,
        skeleton=category.skeleton,
    )
    return dict(images=images, annotations=annotations, categories=[record])


def _instances_per_picture(spec: SyntheticSpec, category_id: int) -> list[int]:
    """1 or 2 for every picture of a category; they sum to its instances.

    With a share s of double pictures, n instances need n / (1 + s) pictures; the
    fraction of a double picture that remains is rounded at random.
    """
    rng = np.random.default_rng([spec.seed, 0, 3, category_id])
    total, share = spec.instances_per_category, spec.double_share
    num_doubles = int(total * share / (1 + share) + rng.random())
    num_doubles = min(num_doubles, total // 2)
    counts = [2] * num_doubles + [1] * (total - 2 * num_doubles)
    return [int(c) for c in rng.permutation(counts)]


def _instance_fields(instance: Instance) -> Record:
    keypoints = np.round(instance.keypoints, 2)
    return dict(
        bbox=[float(side) for side in instance.bbox],
        area=float(instance.area),
        iscrowd=0,
        num_keypoints=int((keypoints[:, 2] > 0).sum()),
        keypoints=[float(value) for value in keypoints.ravel()],
    )
