"""Reading stored episodes: an edited or foreign file is refused, never half used."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import AnnotationFormatError, ConfigError, MissingDataError
from ..structures import Episode
from ..utils.json_file import read_json
from .annotation_checks import is_id, not_as_expected
from .annotation_index import AnnotationIndex
from .frozen_episodes import FrozenEpisodes, episodes_sha256, files_sha256
from .mp100_dataset import MP100EpisodeDataset

KEYS = ('protocol', 'num_shots', 'ann_file_sha256', 'episodes_sha256', 'episodes')
EPISODE_KEYS = ('category_id', 'support', 'queries')
SHA256_PATTERN = re.compile('[0-9a-f]{64}')
REMEDY = 'Write the file afresh with tools/dataset_tools/freeze_episodes.py.'


def read_frozen_episodes(path: str | Path) -> FrozenEpisodes:
    """Read a file of ``tools/dataset_tools/freeze_episodes.py``.

    Args:
        path: the JSON file.

    Returns:
        Its content; ``seed`` and ``index`` of an episode are its place in the list, as
        where it was drawn.

    Raises:
        MissingDataError: the file does not exist or can not be read.
        AnnotationFormatError: it is no such file, an entry is malformed, or the
            episodes are not those that its hash was made of.
    """
    if not Path(path).is_file():
        raise MissingDataError(
            f'episodes_file not found: {path} (looked from {Path.cwd()}). '
            f'tools/dataset_tools/freeze_episodes.py writes such files.'
        )
    content = read_json(path, 'a file of frozen episodes', REMEDY)
    missing = [key for key in KEYS if key not in content]
    if missing:
        found = ', '.join(sorted(map(str, content))[:10])
        raise AnnotationFormatError(
            f'{path} is not a file of frozen episodes: it has no {", ".join(missing)}, '
            f'but {found or "nothing"}. {REMEDY}'
        )
    _check_head(content, path)
    episodes = _read_episodes(content['episodes'], content['num_shots'], path)
    found = episodes_sha256(episodes)
    if found != content['episodes_sha256']:
        raise AnnotationFormatError(
            f'{path}: the episodes were changed after they were frozen: their hash is '
            f'{found}, but "episodes_sha256" says {content["episodes_sha256"]}. '
            f'{REMEDY}'
        )
    return FrozenEpisodes(
        protocol=content['protocol'],
        num_shots=content['num_shots'],
        ann_file_sha256=content['ann_file_sha256'],
        episodes=episodes,
    )


def check_frozen_episodes(
    frozen: FrozenEpisodes, dataset: MP100EpisodeDataset, path: str | Path
) -> None:
    """Check that stored episodes belong to a data set.

    Args:
        frozen: the stored episodes.
        dataset: the data set that is to load them.
        path: where the episodes are stored, for messages.

    Raises:
        ConfigError: they were drawn from another file, or name an annotation that is
            unknown, filtered out or of another category.
    """
    found = files_sha256(dataset.ann_files)
    if found != frozen.ann_file_sha256:
        raise ConfigError(
            f'{path} was frozen for another annotation file: it names the SHA-256 '
            f'{frozen.ann_file_sha256}, but that of {dataset.ann_file} is {found}. '
            f'Evaluate on the file that it was made for, or freeze the episodes of '
            f'this one.'
        )
    for episode in frozen.episodes:
        for ann_id in episode.support_ids + episode.query_ids:
            problem = _problem_of(ann_id, episode.category_id, dataset.index)
            if problem:
                raise ConfigError(
                    f'{path}: episode {episode.index} of category '
                    f'{episode.category_id} names annotation {ann_id}, which {problem} '
                    f'{dataset.ann_file}. {REMEDY}'
                )


def _problem_of(ann_id: int, category_id: int, index: AnnotationIndex) -> str | None:
    if ann_id not in index:
        return f'is not among the {len(index):,} usable annotations of'
    if index[ann_id].category_id != category_id:
        return f'is of category {index[ann_id].category_id} in'
    return None


def _check_head(content: dict, path: str | Path) -> None:
    for key in ('ann_file_sha256', 'episodes_sha256'):
        value = content[key]
        if not isinstance(value, str) or not SHA256_PATTERN.fullmatch(value):
            raise _not_a(path, key, '64 hexadecimal digits', value)
    if not isinstance(content['protocol'], str):
        raise _not_a(path, 'protocol', 'a text', content['protocol'])
    if type(content['num_shots']) is not int or content['num_shots'] < 1:
        raise _not_a(path, 'num_shots', 'a number >= 1', content['num_shots'])
    if not isinstance(content['episodes'], list) or not content['episodes']:
        raise _not_a(path, 'episodes', 'a list that is not empty', content['episodes'])


def _read_episodes(
    records: list, num_shots: int, path: str | Path
) -> tuple[Episode, ...]:
    episodes: list[Episode] = []
    num_queries = None  # the first episode decides
    for place, record in enumerate(records):
        if not isinstance(record, dict) or not record.keys() >= {*EPISODE_KEYS}:
            expected = f'an object with {", ".join(EPISODE_KEYS)}'
            raise _not_a(path, f'episode {place}', expected, record)
        where = f'{path}: episode {place}'
        episode = _read_episode(record, place, (num_shots, num_queries), where)
        num_queries = len(episode.query_ids)
        episodes.append(episode)
    return tuple(episodes)


def _read_episode(
    record: dict, place: int, lengths: tuple[int, int | None], where: str
) -> Episode:
    category_id, support, queries = (record[key] for key in EPISODE_KEYS)
    if not is_id(category_id):
        raise _not_a(where, 'category_id', 'an id', category_id)
    _check_ids(support, lengths[0], 'support', where)
    _check_ids(queries, lengths[1], 'queries', where)
    ids = support + queries
    if len(set(ids)) < len(ids):
        raise _not_a(where, 'support + queries', 'different annotations', ids)
    return Episode(
        category_id=category_id,
        support_ids=tuple(support),
        query_ids=tuple(queries),
        seed=place,
        index=place,
    )


def _check_ids(value: object, length: int | None, key: str, where: str) -> None:
    """Check a list of ids; ``length`` None asks for at least one."""
    is_list = isinstance(value, list) and all(map(is_id, value))
    if not is_list or not value or len(value) != (length or len(value)):
        raise _not_a(where, key, f'a list of {length or "some"} annotation ids', value)


def _not_a(
    where: str | Path, key: str, expected: str, value: object
) -> AnnotationFormatError:
    return AnnotationFormatError(
        f'{not_as_expected(where, key, expected, value)}. {REMEDY}'
    )
