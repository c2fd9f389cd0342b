"""Reading a dump of predictions: a damaged or foreign file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AnnotationFormatError, MissingDataError
from ..json_file import read_json
from ..structures import Episode
from .prediction_dump import FORMAT, Entry

ENTRY_TYPES = dict(
    image_id=int,
    category_id=int,
    keypoints=list,
    episode_index=int,
    slot=int,
    ann_id=int,
    support_ids=list,
)
EVALUATION_KEYS = ('run', 'plan', 'dropped_pairs', 'episodes')
PLAN_KEYS = ('name', 'num_pairs', 'left_out')
OPTIONAL_PLAN_KEYS = ('num_left_out',)
REMEDY = 'Write it afresh with tools/test.py --dump.'
LARGEST = 3.4e38
"""What float32 can hold."""


@dataclass(frozen=True)
class Dump:
    """What :func:`read_dump` found.

    Attributes:
        entries: by (episode_index, slot).
        reasons: why a pair was dropped when the predictions were made, by the same.
        episodes: the whole evaluation list.
        run: what the predictions were made with.
        plan: pairs of a full draw, by category id; see ``evaluation_plan``.
    """

    entries: dict[tuple[int, int], Entry]
    reasons: dict[tuple[int, int], str]
    episodes: tuple[Episode, ...]
    run: dict[str, Any]
    plan: dict[int, dict[str, Any]]


def read_dump(path: str | Path) -> Dump:
    """Read the file of ``tools/test.py --dump``.

    Args:
        path: the JSON file; the order of its entries does not matter.

    Raises:
        MissingDataError: the file does not exist.
        AnnotationFormatError: it is no such file, an entry is malformed, listed twice
            or of another episode than the list of episodes says.
    """
    path = Path(path)
    records = _read_records(path)
    evaluation = _find_evaluation(records, path)
    try:
        episodes = tuple(
            Episode(int(category), tuple(map(int, supports)), tuple(map(int, queries)))
            for category, supports, queries in evaluation['episodes']
        )
        reasons = {
            (int(index), int(slot)): str(reason)
            for index, slot, reason in evaluation['dropped_pairs']
        }
        run = dict(evaluation['run'])
        plan = {
            int(key): {name: planned[name] for name in _plan_keys(planned)}
            for key, planned in evaluation['plan'].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnnotationFormatError(
            f'{path} is damaged: "evaluation" of its first entry can not be read '
            f'({error}). {REMEDY}'
        ) from error
    entries: dict[tuple[int, int], Entry] = {}
    for place, record in enumerate(records):
        problem = _problem_of(record, episodes)
        if problem is None:
            key = record['episode_index'], record['slot']
            problem = 'is listed twice' if key in entries else None
        if problem is not None:
            raise AnnotationFormatError(f'{path}: entry {place} {problem}. {REMEDY}')
        entries[key] = record
    return Dump(entries, reasons, episodes, run, plan)


def _plan_keys(planned: Mapping[str, Any]) -> tuple[str, ...]:
    return PLAN_KEYS + tuple(key for key in OPTIONAL_PLAN_KEYS if key in planned)


def _read_records(path: Path) -> list:
    if not path.is_file():
        raise MissingDataError(
            f'no dump of predictions at {path}. tools/test.py --dump {path} writes one.'
        )
    content = read_json(path, REMEDY)
    if not isinstance(content, list) or not content:
        found = 'an empty list' if content == [] else f'a {type(content).__name__}'
        raise AnnotationFormatError(
            f'{path} should be a list of COCO keypoint results, one per support-query '
            f'pair, but is {found}. {REMEDY}'
        )
    return content


def _find_evaluation(records: list, path: Path) -> Mapping[str, Any]:
    """The description of the evaluation, which one of the entries carries."""
    found = [
        r['evaluation'] for r in records if isinstance(r, dict) and 'evaluation' in r
    ]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise AnnotationFormatError(
            f'{path}: {len(found)} of its {len(records):,} entries say what was '
            f'evaluated ("evaluation"), one should. It is the first entry of a dump; '
            f'without it, missing pairs could not be told. {REMEDY}'
        )
    (evaluation,) = found
    missing = [key for key in EVALUATION_KEYS if key not in evaluation]
    if missing or evaluation.get('format') != FORMAT:
        raise AnnotationFormatError(
            f'{path}: "evaluation" should have "format": {FORMAT!r} and '
            f'{", ".join(EVALUATION_KEYS)}, but has {sorted(evaluation)}. {REMEDY}'
        )
    return evaluation


def _problem_of(record: object, episodes: tuple[Episode, ...]) -> str | None:
    """Why an entry can not be used; None if it can."""
    if not isinstance(record, dict):
        return f'is a {type(record).__name__} instead of an object'
    for key, kind in ENTRY_TYPES.items():
        if type(record.get(key)) is not kind:
            return f'has no "{key}" of type {kind.__name__}'
    for key in ('keypoints', 'keypoints_visible'):
        problem = _number_problem(record.get(key, []), key)
        if problem is not None:
            return problem
    index, slot = record['episode_index'], record['slot']
    if not 0 <= index < len(episodes) or not 0 <= slot < len(episodes[index].query_ids):
        return f'is of episode {index}, slot {slot}, which was not evaluated'
    episode = episodes[index]
    expected = episode.category_id, episode.query_ids[slot], list(episode.support_ids)
    found = record['category_id'], record['ann_id'], record['support_ids']
    if found != expected:
        return (
            f'(episode {index}, slot {slot}) is of category, annotation and supports '
            f'{found}, but the episode has {expected}'
        )
    return None


def _number_problem(values: object, key: str) -> str | None:
    if not isinstance(values, list) or not {*map(type, values)} <= {int, float}:
        return f'has other things than numbers in "{key}"'
    # compared, not converted: an integer may be too large for a float
    if not all(abs(value) <= LARGEST for value in values):
        return f'has a NaN, infinite or absurdly large number in "{key}"'
    if key == 'keypoints' and len(values) % 3:
        return f'has {len(values)} numbers in "keypoints", which is not 3 per keypoint'
    return None
