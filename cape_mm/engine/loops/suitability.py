"""Whether a test can keep features, or has to run image by image."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.model import BaseModel
from torch.utils.data import DataLoader

from ...datasets import MP100EpisodeDataset
from ...datasets.instance_view import ITSELF
from ...datasets.pipeline_randomness import find_randomness
from ...errors import InstanceLoadError
from ...structures import Episode

MODEL_PARTS = ('encode_instances', 'predict_from_features')
"""What a model needs, see :class:`~cape_mm.models.estimators.CAPE`."""
MODEL_FORWARD = ('forward', 'predict', 'encode', 'extract_features', 'test_step')
DATASET_LOADING = ('__getitem__', '_load_fixed', '_load_instance', '_pack')


def why_plain(model: BaseModel, dataloader: DataLoader) -> str | None:
    """Why features can't be kept; None if they can.

    Args:
        model: the bare model.
        dataloader: the loader of the evaluation.
    """
    reason = _why_not_model(model) or _why_not_data(dataloader)
    if reason is not None:
        return reason
    probe = find_loadable(dataloader)
    if probe is None:
        return 'no instance of the episodes can be loaded'
    names = find_randomness(dataloader.dataset, probe)
    if names:
        return (
            f'the pipeline is random ({", ".join(names)}): an instance looks different '
            f'in every episode'
        )
    return None


def _why_not_model(model: BaseModel) -> str | None:
    name = type(model).__name__
    missing = [part for part in MODEL_PARTS if not hasattr(model, part)]
    if missing:
        return f'{name} has no {" and no ".join(missing)}'
    home = _home_of(type(model), MODEL_PARTS[1])
    for method in MODEL_FORWARD:
        owner = _home_of(type(model), method)
        if owner is not home and owner is not None and issubclass(owner, home):
            return f'{owner.__name__} has a {method} of its own'
    return None


def _home_of(cls: type, name: str) -> type | None:
    """The class in which a method was defined last."""
    return next((base for base in cls.__mro__ if name in vars(base)), None)


def _why_not_data(dataloader: DataLoader) -> str | None:
    dataset, sampler = dataloader.dataset, dataloader.sampler
    name = type(dataset).__name__
    if not isinstance(dataset, MP100EpisodeDataset) or not dataset.test_mode:
        return f'the data set ({name}) is no MP100EpisodeDataset with test_mode=True'
    for method in DATASET_LOADING:
        owner = _home_of(type(dataset), method)
        if owner is not MP100EpisodeDataset or method in vars(dataset):
            return f'{name} has a {method} of its own'
    if getattr(dataset, 'templates', None):
        return 'templates stand in for the supports'
    episodes = getattr(sampler, 'episodes', None)
    if not episodes or not all(isinstance(item, Episode) for item in episodes):
        return f'the sampler ({type(sampler).__name__}) has no fixed list of episodes'
    for episode in episodes:
        for ann_id in episode.support_ids + episode.query_ids:
            if dataset.get_instance(ann_id).category_id != episode.category_id:
                return f'episode {episode.index} mixes categories'
    return None


def find_loadable(dataloader: DataLoader) -> int | None:
    """An instance that loads, of the category with the most keypoints that has one."""
    dataset = dataloader.dataset
    for ann_id in _by_keypoints(dataset, dataloader.sampler.episodes):
        try:
            dataset._load_instance(ann_id, Episode(0, (ann_id,), (ITSELF,)))
        except InstanceLoadError:
            continue
        return ann_id
    return None


def _by_keypoints(
    dataset: MP100EpisodeDataset, episodes: list[Episode]
) -> Iterator[int]:
    """Distinct instances, those with the most keypoints first."""
    groups: dict[int, dict[int, None]] = {}
    for episode in episodes:
        ids = dict.fromkeys(episode.support_ids + episode.query_ids)
        groups.setdefault(episode.category_id, {}).update(ids)
    order = sorted(groups, key=lambda key: -dataset.categories[key].num_keypoints)
    for category_id in order:
        yield from groups[category_id]
