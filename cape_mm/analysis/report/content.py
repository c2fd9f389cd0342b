"""A whole report from what an evaluation left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...evaluation.breakdowns import macro_key
from ...evaluation.results import ResultTable
from .blocks import Block, Code, Folded, Report, Section, Table, Text
from .confidence_section import confidence_section
from .curves import pck_figure
from .episode_choice import choose_episodes
from .episode_section import Pictures, episode_section
from .notices import find_warnings
from .numbers import interval, percent
from .reliability import measure_reliability
from .result_sections import (
    PCK,
    category_section,
    floors_of,
    group_section,
    keypoint_section,
    overall_section,
    visibility_blocks,
)

Entry = Mapping[str, Any]
ORIGIN_NAMES = dict(
    cape_mm_version='cape_mm',
    episodes_sha256='SHA-256 of the episodes',
    num_missing_images='missing images',
    annotations_sha256='SHA-256 of the annotations',
    trained_categories_in_test='trained categories in the test',
    num_cpus='CPUs',
    is_modified='files differ from the commit',
    ann_files='annotation files',
)


@dataclass(frozen=True)
class Evaluation:
    """What a report is written from.

    Attributes:
        metrics: of ``EpisodePCK``, without a prefix.
        run: what was measured and with what, as ``run`` in ``metrics.json``.
        created: date and time.
        table: the pairs; None where they are not known.
        entries: the predictions, as ``PredictionDump`` keeps them; empty where they
            are not known.
        keypoint_names: by category id, as far as known.
        pictures: of pairs, as far as there.
        environment: hardware, versions and commit, as ``describe_environment`` has it.
        data_files: path and SHA-256 of the annotation files.
        config_text: the whole config.
        other_numbers: of other metrics of the same test, by name.
    """

    metrics: Mapping[str, Any]
    run: Mapping[str, Any]
    created: str
    table: ResultTable | None = None
    entries: Sequence[Entry] = ()
    keypoint_names: Mapping[int, Sequence[str]] = field(default_factory=dict)
    pictures: Pictures = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    data_files: Sequence[tuple[str, str]] = ()
    config_text: str = ''
    other_numbers: Mapping[str, float] = field(default_factory=dict)


def build_report(evaluation: Evaluation) -> Report:
    """Lay an evaluation out as a report."""
    metrics, run, table = evaluation.metrics, evaluation.run, evaluation.table
    found = None
    if table is not None and len(table.keypoints):
        found = measure_reliability(table, evaluation.entries)
    sections = [
        overall_section(metrics),
        category_section(metrics),
        group_section(metrics),
        _curve_section(metrics),
        Section('visibility', 'Hidden and seen keypoints', visibility_blocks(metrics)),
        confidence_section(metrics, found, bool(evaluation.entries)),
        keypoint_section(metrics, evaluation.keypoint_names),
    ]
    if table is not None:
        choices = choose_episodes(table)
        names = table.category_names
        sections.append(episode_section(choices, names, evaluation.pictures))
    sections.append(_origin_section(evaluation))
    return Report(
        title=f'Evaluation of {Path(str(run.get("config", "a model"))).stem}',
        subtitle=f'{run.get("checkpoint", "")}  ({evaluation.created})'.strip(),
        cards=_cards(metrics),
        warnings=find_warnings(metrics, run),
        sections=sections,
    )


def _cards(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    found = metrics.get('confidence_intervals') or {}
    ends = interval((found.get('over_episodes') or {}).get(PCK))
    cards = [
        (PCK, f'{percent(metrics[PCK])} %', f'95 %: {ends}'),
        *(
            (name, f'{percent(metrics.get(f"{prefix}/{PCK}"))} %', 'the floor')
            for prefix, name in floors_of(metrics).items()
        ),
        ('mPCK5', f'{percent(metrics.get("mPCK5"))} %', '0.05 to 0.25'),
        ('pairs', f'{metrics["num_pairs"]:,}', f'{_dropped(metrics)} dropped'),
        ('categories', f'{metrics["num_categories"]:,}', 'with a scored pair'),
    ]
    key = macro_key(PCK)
    if key in metrics:
        macro = f'{percent(metrics[key])} %'
        cards.insert(1, (f'{PCK}, macro', macro, 'mean over categories'))
    return cards


def _dropped(metrics: Mapping[str, Any]) -> str:
    return f'{metrics.get("num_pairs_dropped", 0):,}'


def _curve_section(metrics: Mapping[str, Any]) -> Section:
    curve = metrics.get('pck_curve')
    blocks = [pck_figure(curve)] if curve else [Text('Not known.')]
    return Section('threshold', 'Threshold', blocks)


def _origin_section(evaluation: Evaluation) -> Section:
    """What the numbers were measured on and with."""
    known = {**evaluation.run, 'written': evaluation.created}
    for key, value in evaluation.environment.items():
        known.update(value if isinstance(value, Mapping) else {key: value})
    if known.get('cape_mm') == known.get('cape_mm_version'):
        known.pop('cape_mm', None)
    rows = [
        (ORIGIN_NAMES.get(key, key.replace('_', ' ')), _shown(value))
        for key, value in known.items()
        if value is not None
    ]
    for path, digest in evaluation.data_files:
        rows.append((f'SHA-256 of {path}', digest))
    blocks: list[Block] = [Table(('', ''), rows, is_text=True)]
    if evaluation.other_numbers:
        others = [(key, f'{v:.6g}') for key, v in evaluation.other_numbers.items()]
        blocks.append(Folded('Other metrics', [Table(('', 'value'), others)]))
    if evaluation.config_text:
        blocks.append(Folded('Config', [Code(evaluation.config_text)]))
    return Section('origin', 'Origin', blocks)


def _shown(value: object) -> str:
    """A value of any kind in one line."""
    if isinstance(value, Mapping):
        return '; '.join(f'{key}: {_shown(part)}' for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ', '.join(map(_shown, value))
    return str(value)
