"""Several data sets in one training: each keeps its own index, drawn by weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mmengine.dataset import Compose
from mmpose.registry import DATASETS
from torch.utils.data import Dataset

from ..errors import ConfigError
from ..structures import Episode, EpisodeDataSample
from ..utils.value_checks import check_positive
from .mp100_dataset import MP100EpisodeDataset

OWN_KEYS = ('name', 'weight', 'categories')
"""Keys of a source that are not arguments of its data set."""


@dataclass(frozen=True)
class Source:
    """One of the data sets that training episodes come from.

    Attributes:
        name: for people to read; empty where there is only one.
        weight: share of the episodes, relative to the other sources.
        dataset: has the source's instances, under ids of its own.
    """

    name: str
    weight: float
    dataset: MP100EpisodeDataset


def sources_of(dataset: object) -> tuple[Source, ...]:
    """The sources of a data set: itself alone, unless it has several."""
    return getattr(dataset, 'sources', None) or (Source('', 1.0, dataset),)


@DATASETS.register_module()
class MultiSourceEpisodeDataset(Dataset):
    """Training episodes from several data sets.

    Every source has an index of its own, so annotation and category ids of different
    sources may be equal: an :class:`Episode` says by ``source`` whose ids it holds. The
    sampler draws the source by weight, then the category, then the instances.

    Args:
        sources: one mapping each: ``name``; ``weight`` (default 1), the share of the
            episodes relative to the others; ``categories``, names (or ids) of those to
            train on, default all; the others are arguments of
            :class:`MP100EpisodeDataset`.
        pipeline: transforms of one instance, for sources that have none of their own.

    Raises:
        ConfigError: see :func:`read_sources`; a category is unknown.
        MissingDataError: a source's data root, annotation file or images do not exist.
    """

    def __init__(
        self, sources: Sequence[Mapping], pipeline: Sequence[dict | Callable] = ()
    ) -> None:
        transforms = Compose(pipeline).transforms
        self.sources = tuple(
            Source(
                source['name'],
                float(source.get('weight', 1)),
                MP100EpisodeDataset(
                    **{'pipeline': transforms, **dataset_arguments(source)}
                ),
            )
            for source in read_sources(sources)
        )

    @property
    def metainfo(self) -> dict:
        """Meta information of the first source."""
        return self.sources[0].dataset.metainfo

    def __len__(self) -> int:
        """Number of usable instances of all sources."""
        return sum(len(source.dataset) for source in self.sources)

    def __getitem__(self, episode: Episode) -> dict[str, dict | EpisodeDataSample]:
        return self.sources[episode.source].dataset[episode]


def read_sources(sources: Sequence[Mapping]) -> list[dict]:
    """Check names and weights of a config's sources, before anything is read.

    Raises:
        ConfigError: there is none, a name is missing or used twice, or a weight is not
            a positive number.
    """
    if not isinstance(sources, (list, tuple)) or not sources:
        raise ConfigError(
            f'sources: a list of dict(name=..., weight=..., data_root=..., '
            f'ann_file=...) is expected, got {sources!r}'
        )
    names: list[str] = []
    for number, source in enumerate(sources):
        name = source.get('name') if isinstance(source, Mapping) else None
        if not isinstance(name, str) or not name or name in names:
            raise ConfigError(
                f'sources.{number}: a name that no other source has is expected, got '
                f'{name!r}'
            )
        names.append(name)
        check_positive(f'sources.{number} ({name}): weight', source.get('weight', 1))
    return [dict(source) for source in sources]


def dataset_arguments(source: Mapping) -> dict:
    """Arguments of :class:`MP100EpisodeDataset` that a config's source stands for."""
    arguments = {key: value for key, value in source.items() if key not in OWN_KEYS}
    if source.get('categories') is not None:
        arguments['include_categories'] = source['categories']
    return arguments
