"""What is kept of an update that was skipped: enough to run its batches again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import ConfigError
from ..structures import Episode, EpisodeDataSample, PackedSamples
from ..utils.atomic_write import write_text_atomically
from ..utils.json_file import read_json

FORMAT = 'cape_mm bad step 1'


@dataclass(frozen=True)
class EpisodeRecord:
    """An episode as it was drawn, and what was loaded for it.

    Attributes:
        episode: as the sampler drew it; its seed is that of the augmentation.
        category_name: of its category.
        loaded_ids: annotation ids of supports and queries after redrawing.
        files: their image files.
    """

    episode: Episode
    category_name: str
    loaded_ids: tuple[int, ...]
    files: tuple[str, ...]

    def __str__(self) -> str:
        episode = self.episode
        return (
            f'category {episode.category_id} ({self.category_name}), episode '
            f'{episode.index}: annotations {list(self.loaded_ids)} in '
            f'{", ".join(self.files)}'
        )


@dataclass(frozen=True)
class BatchRecord:
    """One micro-batch of a window that was skipped.

    Attributes:
        rank: process that had it.
        iteration: of the run, from 1.
        problem: what was seen of it, empty where nothing was.
        loss: as text, since JSON has no NaN; '' where none was computed.
        generators: see :func:`~cape_mm.engine.random_states.states_to_text`.
        episodes: the batch, in order; empty for data of another kind.
    """

    rank: int
    iteration: int
    problem: str
    loss: str
    generators: Mapping[str, str]
    episodes: tuple[EpisodeRecord, ...]

    def __str__(self) -> str:
        episodes = '; '.join(map(str, self.episodes)) or 'a batch of another kind'
        problem = self.problem or 'bad gradient of the update that it closes'
        return f'iteration {self.iteration}, rank {self.rank}, {problem}: {episodes}'


@dataclass(frozen=True)
class BadStep:
    """A window whose update was skipped.

    Attributes:
        epoch: from 1.
        iteration: of the run, from 1; the window's last.
        config: config file of the run.
        optim_wrapper: type of the optimizer wrapper, which has the number format.
        weights: file of the weights at that time, '' where none was written.
        batches: of all ranks.
    """

    epoch: int
    iteration: int
    config: str
    optim_wrapper: str
    weights: str
    batches: tuple[BatchRecord, ...]

    def suspects(self) -> list[BatchRecord]:
        """Micro-batches that may be the cause: those with a problem.

        Where none has one, the last ones: only the sum of their gradients is known.
        """
        last = [batch for batch in self.batches if batch.iteration == self.iteration]
        return [batch for batch in self.batches if batch.problem] or last


def record_episodes(samples: object) -> Iterator[EpisodeRecord]:
    """Records of a batch's data samples; of none that hold no episode."""
    is_many = isinstance(samples, (Sequence, PackedSamples))
    for sample in samples if is_many else ():
        if isinstance(sample, EpisodeDataSample) and 'episode' in sample:
            supports, queries = sample.support_instances, sample.gt_instances
            yield EpisodeRecord(
                episode=sample.episode,
                category_name=str(sample.category_name),
                loaded_ids=(*supports.ann_ids.tolist(), *queries.ann_ids.tolist()),
                files=(*sample.support_img_paths, *sample.query_img_paths),
            )


def write_bad_step(step: BadStep, path: Path) -> Path:
    """Write a JSON file for ``tools/replay_episode.py``.

    Raises:
        OSError: the file can not be written.
    """
    text = json.dumps(dict(format=FORMAT, **asdict(step)), indent=1)
    return write_text_atomically(path, text + '\n')


def read_bad_step(path: str | Path) -> BadStep:
    """Read what :func:`write_bad_step` wrote.

    Raises:
        ConfigError: the file is missing or not of this kind.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            f'{path} does not exist. Expected the record of a skipped update, e.g. '
            f'work_dirs/<config>/bad_steps/iter_0000123.json'
        )
    what = 'the record of a skipped update'
    content = read_json(path, what, error_type=ConfigError)
    try:
        if content.pop('format') != FORMAT:
            raise ValueError(f'its "format" is not {FORMAT!r}')
        return _to_step(content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ConfigError(
            f'{path} is not {what} that training writes into '
            f'work_dirs/<config>/bad_steps ({type(error).__name__}: {error})'
        ) from error


def _to_step(content: dict) -> BadStep:
    batches = tuple(
        BatchRecord(
            rank=int(batch['rank']),
            iteration=int(batch['iteration']),
            problem=str(batch['problem']),
            loss=str(batch['loss']),
            generators={str(k): str(v) for k, v in batch['generators'].items()},
            episodes=tuple(map(_to_episode, batch['episodes'])),
        )
        for batch in content['batches']
    )
    texts = {key: str(content[key]) for key in ('config', 'optim_wrapper', 'weights')}
    numbers = {key: int(content[key]) for key in ('epoch', 'iteration')}
    return BadStep(**numbers, **texts, batches=batches)


def _to_episode(record: dict) -> EpisodeRecord:
    drawn = record['episode']
    episode = Episode(
        category_id=int(drawn['category_id']),
        support_ids=tuple(map(int, drawn['support_ids'])),
        query_ids=tuple(map(int, drawn['query_ids'])),
        seed=int(drawn['seed']),
        index=int(drawn['index']),
    )
    return EpisodeRecord(
        episode=episode,
        category_name=str(record['category_name']),
        loaded_ids=tuple(map(int, record['loaded_ids'])),
        files=tuple(map(str, record['files'])),
    )
