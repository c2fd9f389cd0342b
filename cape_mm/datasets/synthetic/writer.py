"""Writes a synthetic data set to disk in MP-100's own layout.

``OUT/annotations/synthetic_split1_{train,val,test}.json`` and
``OUT/images/<category folder>/<file>.jpg``. The files are a function of the spec alone:
every category and every picture has its own generator, so neither the number of workers
nor their order matters.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.utils import ProgressBar

from cape_mm.errors import ConfigError
from cape_mm.utils.processes import map_over_processes, num_available_cores

from .coco_records import Record, make_empties, write_category
from .spec import GENERATOR, SPLITS, SyntheticSpec, make_spec


@dataclass(frozen=True)
class SyntheticSummary:
    """What lies in the output folder.

    Attributes:
        out_dir: the data root.
        is_reused: True where an identical data set was there and nothing was written.
        num_images: pictures per split.
        num_annotations: annotations per split, the empty ones included.
        info: ``info`` entry of each split's annotation file.
    """

    out_dir: Path
    is_reused: bool
    num_images: dict[str, int]
    num_annotations: dict[str, int]
    info: dict[str, dict[str, Any]]

    def __str__(self) -> str:
        state = 're-used' if self.is_reused else 'wrote'
        lines = [f'{state} {self.out_dir}']
        for split, info in self.info.items():
            lines.append(
                f'  {split}: {info["num_categories"][split]} categories, '
                f'{self.num_images[split]:,} images, '
                f'{self.num_annotations[split]:,} annotations '
                f'({sum(info["empty_annotations"].values())} of them empty on purpose)'
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

    The files are written to a temporary folder beside ``out_dir``, which is renamed at
    the end: an interrupted run leaves nothing that looks like a data set.

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
        Counts per split.

    Raises:
        ConfigError: an argument is unknown or out of range, or ``out_dir`` holds
            something else.
    """
    spec = make_spec(size, seed, overrides)
    if num_workers is None:
        num_workers = num_available_cores()
    if num_workers < 1:
        raise ConfigError(f'num_workers must be >= 1 or None, got {num_workers}.')
    out_dir = Path(out_dir).absolute()
    if out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        is_identical = _check_existing(out_dir, spec, force)
        if is_identical:
            return _summarise(out_dir, is_reused=True)
    with _replaced_at_the_end(out_dir) as partial_dir:
        _write_files(partial_dir, spec, num_workers)
    return _summarise(out_dir, is_reused=False)


def annotation_path(out_dir: Path, split: str) -> Path:
    """Annotation file of a split."""
    return out_dir / 'annotations' / f'synthetic_split1_{split}.json'


def _check_existing(out_dir: Path, spec: SyntheticSpec, force: bool) -> bool:
    """True for a complete identical data set, False where ``out_dir`` may be replaced.

    Raises:
        ConfigError: it may not be replaced.
    """
    found = {split: _read_annotations(out_dir, split) for split in SPLITS}
    infos = {split: content.get('info') for split, content in found.items()}
    is_ours = any(i and i.get('generator') == GENERATOR for i in infos.values())
    if not is_ours:
        raise ConfigError(
            f'{out_dir} is not empty and holds no synthetic data set of an earlier '
            f'run, so it is left alone. Choose another output folder.'
        )
    is_same = all(infos[split] == spec.info(split) for split in SPLITS)
    num_missing = sum(
        not (out_dir / 'images' / image['file_name']).is_file()
        for content in found.values()
        for image in content.get('images', [])
    )
    if is_same and num_missing == 0:
        return True
    if not force:
        state = f'{num_missing} of its images are missing'
        if not is_same:
            state = f'it differs ({_differences(infos, spec)})'
        raise ConfigError(
            f'{out_dir} holds an earlier synthetic data set, but {state}. Pass --force '
            f'(force=True) to replace it or choose another output folder.'
        )
    return False


def _differences(infos: dict[str, dict | None], spec: SyntheticSpec) -> str:
    """What is found and what is wanted, of the first split that differs."""
    split = next(s for s in SPLITS if infos[s] != spec.info(s))
    found, wanted = infos[split], spec.info(split)
    if found is None:
        return f'{split} annotations are missing'
    return '; '.join(
        f'{key}: found {found.get(key)!r}, wanted {value!r}'
        for key, value in wanted.items()
        if found.get(key) != value and key != 'description'
    )


def _read_annotations(out_dir: Path, split: str) -> dict[str, Any]:
    """Content of an annotation file, {} where it is absent or no JSON object."""
    path = annotation_path(out_dir, split)
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextmanager
def _replaced_at_the_end(out_dir: Path) -> Iterator[Path]:
    """A folder to write to, which becomes ``out_dir`` if the block succeeds."""
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    prefix = f'.{out_dir.name}.partial-'
    workspace = Path(tempfile.mkdtemp(prefix=prefix, dir=out_dir.parent))
    try:
        content = workspace / 'new'
        content.mkdir()
        yield content
        if out_dir.exists():
            out_dir.rename(workspace / 'old')
        content.rename(out_dir)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _write_files(out_dir: Path, spec: SyntheticSpec, num_workers: int) -> None:
    (out_dir / 'annotations').mkdir()
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


def _summarise(out_dir: Path, is_reused: bool) -> SyntheticSummary:
    content = {split: _read_annotations(out_dir, split) for split in SPLITS}
    return SyntheticSummary(
        out_dir=out_dir,
        is_reused=is_reused,
        num_images={s: len(c['images']) for s, c in content.items()},
        num_annotations={s: len(c['annotations']) for s, c in content.items()},
        info={s: c['info'] for s, c in content.items()},
    )
