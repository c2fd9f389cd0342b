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

from mmengine.utils import ProgressBar

from cape_mm.errors import ConfigError
from cape_mm.utils.atomic_write import replacing
from cape_mm.utils.processes import map_over_processes, num_available_cores

from .coco_records import Record, make_empties, write_category
from .spec import GENERATOR, SPLITS, SyntheticSpec, make_spec


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
            num_empty = sum(content['info']['empty_annotations'].values())
            lines.append(
                f'  {split}: {len(content["categories"])} categories, '
                f'{len(content["images"]):,} images, '
                f'{len(content["annotations"]):,} annotations '
                f'({num_empty} of them empty on purpose)'
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
            ``instances_per_category``, ``image_size``, ``empty_share``.

    Returns:
        What is there now.

    Raises:
        ConfigError: an argument is unknown or out of range, or ``out_dir`` holds
            something else.
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
        content = _join(spec, split, [records[i] for i in ids])
        text = json.dumps(content, separators=(',', ':'))
        annotation_path(out_dir, split).write_text(text)


def _join(
    spec: SyntheticSpec, split: str, parts: list[dict[str, list[Record]]]
) -> dict[str, Any]:
    """One COCO file of the records of a split's categories."""
    joined = {
        key: [record for part in parts for record in part[key]]
        for key in ('images', 'annotations', 'categories')
    }
    joined['annotations'] += make_empties(spec, split, joined['annotations'])
    return dict(info=spec.info(split), **joined)
