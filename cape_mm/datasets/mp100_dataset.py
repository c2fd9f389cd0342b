"""Episodes of MP-100, or of any data in COCO-keypoint JSON."""

from __future__ import annotations

import copy
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmpose.registry import DATASETS
from torch.utils.data import Dataset

from ..errors import ConfigError
from ..structures import Episode, EpisodeDataSample
from .annotation_index import AnnotationIndex
from .categories import GUESSED_BASE, Category
from .episode_packing import load_or_drop, load_or_redraw, pack_episode
from .image_files import image_path, look_for_images
from .instance_filters import Instance
from .splits import read_category_choice, split_files
from .templates import Template, load_template, read_template_file

METAINFO = dict(dataset_name='mp100')


@DATASETS.register_module()
class MP100EpisodeDataset(Dataset):
    """Turns an :class:`Episode` into images and labels.

    ``dataset[episode]`` returns ``dict(inputs=dict(support=..., query=...),
    data_samples=EpisodeDataSample)`` with uint8 BGR images (S, 3, H, W) and
    (Q, 3, H, W). Which episodes there are is the sampler's business
    (:class:`~cape_mm.datasets.episode_samplers.EpisodeSampler`).

    Empty annotations are dropped when the index is built and counted by reason. Image
    files are looked for once: one warning counts the missing ones by folder, and
    training does not draw their instances; evaluation does, so that the draw stays that
    of the complete data. An instance that turns out missing, corrupt or empty while
    loading is redrawn within its category in training; in evaluation its pairs are
    dropped and recorded in the data sample. ``len(dataset)`` is the number of usable
    instances, with or without an image.

    With ``template_file``, in evaluation, a keypoint template of the category stands in
    for the episode's supports (see :mod:`~cape_mm.datasets.templates`): the queries are
    those of the same draw, and no image of a support is read.

    Attributes:
        index: the usable annotations.
        ann_files: paths of the annotation files; ``ann_file`` names all of them for
            messages.
        metainfo: every metric gets it as ``dataset_meta``.
        categories: by category id, in the file's order.
        instances_by_category: annotation and image ids that a sampler draws from.
        num_missing_images: number of distinct image files that are not on disk.
        num_without_image: usable instances that training leaves out of
            ``instances_by_category``, by category id; empty in evaluation.

    Args:
        ann_file: annotation JSON, relative to ``data_root``; ``{split}`` and
            ``{subset}`` in it are filled in. Empty: that of MP-100's split and subset.
            Several files are read as one, every entry once.
        data_root: folder that holds annotations and images.
        data_prefix: ``img``: image folder relative to ``data_root``. Where it does not
            exist, the category folders are looked for in ``data_root`` itself, as the
            official preparation lays them out.
        pipeline: transforms of one instance, ending with ``PackInstance``.
        test_mode: evaluation: drop and count instead of redrawing.
        check_images: look for every image file when the index is built.
        metainfo: further meta information.
        split: 1 to 5 for MP-100.
        subset: ``'train'``, ``'val'``, ``'test'``, or several of them.
        include_categories: category ids and names, or the name of a group of
            :mod:`~cape_mm.datasets.splits`; None includes all.
        exclude_categories: the same; it wins over ``include_categories``.
        template_file: keypoint templates, relative to ``data_root``.

    Raises:
        MissingDataError: the annotation file or every image file does not exist, or a
            category has no template.
        AnnotationFormatError: a file is not COCO-keypoint JSON, or not as another one
            says.
        ConfigError: a split, subset, group or name does not exist, or templates are
            asked for in training or were made from annotations.
    """

    def __init__(
        self,
        ann_file: str | Sequence[str] = '',
        data_root: str = '',
        data_prefix: dict | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        check_images: bool = True,
        metainfo: dict | None = None,
        split: int | None = None,
        subset: str | Sequence[str] | None = None,
        include_categories: str | Sequence[int | str] | None = None,
        exclude_categories: str | Sequence[int | str] | None = None,
        template_file: str | None = None,
    ) -> None:
        self.data_root = data_root = data_root or ''
        names = split_files(ann_file, split, subset)
        self.ann_files = tuple(os.path.join(data_root, name) for name in names)
        self.ann_file = ' + '.join(self.ann_files)
        self.data_prefix = {
            key: os.path.join(data_root, folder)
            for key, folder in (data_prefix or dict(img='images/')).items()
        }
        self.metainfo = {**METAINFO, **(metainfo or {})}
        self.pipeline = Compose(pipeline)
        self.test_mode = test_mode
        self.index = self._read_index(
            read_category_choice(include_categories, 'include_categories'),
            read_category_choice(exclude_categories, 'exclude_categories'),
        )
        self.categories = self.index.categories
        missing = self._find_missing() if check_images else set()
        self.num_missing_images = len(missing)
        left_out = set() if test_mode else missing
        self.instances_by_category = self.index.by_category(left_out)
        self.num_without_image = Counter(
            inst.category_id
            for inst in self.index.instances
            if inst.file_name in left_out
        )
        self.template_file = template_file and os.path.join(data_root, template_file)
        self.templates: dict[int, Template] = {}
        if self.template_file:
            if not test_mode:
                raise ConfigError('template_file: templates are for evaluation alone')
            self._read_templates()

    def _read_index(self, *choice: frozenset[int | str] | None) -> AnnotationIndex:
        index = AnnotationIndex.read(self.ann_files, *choice, self._image_folder)
        print_log(f'{self.ann_file}: {index.filter_report}', logger='current')
        guessed = [c.name for c in index.categories.values() if c.is_base_guessed]
        if guessed:
            message = f'{self.ann_file}: {", ".join(guessed)}: {GUESSED_BASE}'
            print_log(message, 'current', logging.WARNING)
        return index

    def _read_templates(self) -> None:
        pools = self.instances_by_category
        used = {i: self.categories[i] for i, pool in pools.items() if pool}
        self.templates = read_template_file(self.template_file, used)
        self.categories = self.categories | {
            key: replace(used[key], skeleton=template.skeleton)
            for key, template in self.templates.items()
            if template.skeleton is not None
        }

    def _find_missing(self) -> set[str]:
        file_names = [inst.file_name for inst in self.index.instances]
        # not the folder looked in as a fallback
        expected = self.data_prefix['img']
        return look_for_images(file_names, self._image_folder, expected, self.ann_file)

    @cached_property
    def _image_folder(self) -> str:
        # asked of the disk once, not for every image
        folder = self.data_prefix['img']
        return folder if os.path.isdir(folder) else self.data_root

    def __len__(self) -> int:
        return len(self.index)

    def image_path(self, instance: Instance) -> str:
        """Path of an instance's image file."""
        return image_path(self._image_folder, instance.file_name)

    def with_changes(
        self,
        instances: Iterable[Instance] = (),
        categories: Mapping[int, Category] | None = None,
        pipeline: Sequence[Callable] | None = None,
    ) -> MP100EpisodeDataset:
        """The data set with something else in it; this one stays as it is.

        Args:
            instances: further ones, or others in the place of those with the same id.
            categories: others in the place of those with the same id.
            pipeline: transforms instead of the present ones.
        """
        changed = copy.copy(self)
        known = {inst.ann_id: inst for inst in self.index.instances}
        known |= {inst.ann_id: inst for inst in instances}
        changed.categories = self.categories | dict(categories or {})
        changed.index = replace(
            self.index, instances=list(known.values()), categories=changed.categories
        )
        if pipeline is not None:
            changed.pipeline = Compose(pipeline)
        return changed

    def load_instance(self, ann_id: int, episode_seed: int) -> dict:
        """Run one annotation through the pipeline; what ``PackInstance`` returns.

        Raises:
            InstanceLoadError: its image can't be loaded, or shows no keypoint.
        """
        instance = self.index[ann_id]
        return self.pipeline(
            dict(
                img_path=self.image_path(instance),
                ann_id=instance.ann_id,
                img_id=instance.img_id,
                twin_of=instance.twin_of,
                bbox=instance.bbox.copy(),
                keypoints_orig=instance.keypoints.copy(),
                is_visible=instance.is_visible.copy(),
                visibility=instance.visibility,
                episode_seed=episode_seed,
                rng=np.random.default_rng([episode_seed, ann_id]),
            )
        )

    def __getitem__(self, episode: Episode) -> dict[str, dict | EpisodeDataSample]:
        if not isinstance(episode, Episode):
            raise TypeError(
                f'{type(self).__name__} is indexed by an Episode, got '
                f'{type(episode).__name__}. Give the data loader '
                f"sampler=dict(type='EpisodeSampler', ...)."
            )
        if self.test_mode:
            return self.assemble(episode, self.load_instance)
        return self._load_training(episode)

    def assemble(
        self, episode: Episode, load: Callable[[int, int], dict]
    ) -> dict[str, dict | EpisodeDataSample]:
        """Put an evaluation episode together; drop the pairs that can't be loaded.

        Args:
            episode: the episode.
            load: gives an instance by annotation id and episode seed, as
                :meth:`load_instance` does, or raises its error.
        """

        def load_supports() -> list[dict]:
            if self.templates:
                template = self.templates[episode.category_id]
                return [load_template(template, self.pipeline.transforms)]
            return [load(ann_id, episode.seed) for ann_id in episode.support_ids]

        supports, queries, dropped = load_or_drop(
            episode.query_ids, load_supports, lambda i: load(i, episode.seed)
        )
        return self.pack(episode, supports, queries, dropped)

    def _load_training(self, episode: Episode) -> dict[str, dict | EpisodeDataSample]:
        """Load a training episode; what can't be loaded is redrawn."""
        category = self.categories[episode.category_id]
        num_shots = len(episode.support_ids)
        loaded, redrawn = load_or_redraw(
            episode.support_ids + episode.query_ids,
            num_shots=num_shots,
            pool=self.instances_by_category[episode.category_id],
            load=lambda ann_id: self.load_instance(ann_id, episode.seed),
            image_of=lambda ann_id: self.index[ann_id].img_id,
            seed=episode.seed,
            what=f'category {category.id} ({category.name}) of {self.ann_file}',
        )
        supports, queries = loaded[:num_shots], loaded[num_shots:]
        return self.pack(episode, supports, queries, [], redrawn)

    def pack(
        self, episode: Episode, supports: list, queries: list, *notes: list[dict]
    ) -> dict[str, dict | EpisodeDataSample]:
        """See :func:`~.episode_packing.pack_episode`."""
        category = self.categories[episode.category_id]
        return pack_episode(episode, category, supports, queries, *notes)
