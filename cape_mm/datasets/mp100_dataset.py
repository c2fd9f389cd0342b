"""Episodes of MP-100, or of any data in COCO-keypoint JSON."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmpose.registry import DATASETS

from ..errors import MissingDataError
from ..structures import Episode, EpisodeDataSample
from .categories import Category, read_categories
from .dropping import load_or_drop
from .episode_packing import pack_episode
from .image_files import (
    count_by_folder,
    describe_missing_files,
    find_missing_files,
    refuse_if_all_missing,
)
from .instance_filters import FilterReport, Instance, select_instances
from .merged_annotations import read_annotation_files
from .redrawing import load_or_redraw
from .reduced_files import Reduction, read_reductions
from .splits import read_category_choice, split_files
from .templates import Template, adopt_skeletons, load_template, read_template_file
from .transforms.virtual_keypoints import refuse_virtual_keypoints


@DATASETS.register_module()
class MP100EpisodeDataset(BaseDataset):
    """Turns an :class:`Episode` into images and labels.

    ``dataset[episode]`` returns ``dict(inputs=dict(support=..., query=...),
    data_samples=EpisodeDataSample)`` with uint8 BGR images (S, 3, H, W) and
    (Q, 3, H, W). Which episodes there are is the sampler's business
    (:class:`~cape_mm.datasets.episode_sampler.EpisodeSampler`).

    Empty annotations are dropped when the index is built and counted by reason. Image
    files are looked for once: one warning counts the missing ones by folder, and
    training does not draw their instances; evaluation does, so that the draw stays that
    of the complete data. An instance that turns out missing, corrupt or empty while
    loading is redrawn within its category in training; in evaluation its pairs are
    dropped and recorded in the data sample. ``len(dataset)`` is the number of usable
    instances, with or without an image.

    With ``template_file`` a keypoint template of the category stands in for the
    episode's supports (see :mod:`~cape_mm.datasets.templates`): the queries are those
    of the same draw, and no image of a support is read.

    Attributes:
        ann_files: paths of the annotation files; ``ann_file`` is the only one, or all
            of them for messages.
        categories: by category id, in the file's order.
        instances_by_category: annotation and image ids that a sampler draws from.
        filter_report: what became of the file's annotations.
        missing_images: number of missing image files by folder.
        num_without_image: usable instances that training leaves out of
            ``instances_by_category``, by category id; empty in evaluation.
        reductions: what the complete file had, by category id, where the annotation
            file is a reduced one (see :mod:`~cape_mm.datasets.reduced_files`).

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
        max_redraws: tries to complete one episode before giving up; None tries all
            instances of its category.
        check_images: look for every image file when the index is built.
        metainfo: overrides of the dataset's meta information.
        split: 1 to 5 for MP-100.
        subset: ``'train'``, ``'val'``, ``'test'``, or several of them.
        include_categories: category ids and names, or the name of a group of
            :mod:`~cape_mm.datasets.splits`; None includes all.
        exclude_categories: the same; it wins over ``include_categories``.
        template_file: keypoint templates, relative to ``data_root``.

    Raises:
        MissingDataError: the data root, the annotation file or every image file does
            not exist, or a category has no template.
        AnnotationFormatError: a file is not COCO-keypoint JSON, or not as another one
            says.
        ConfigError: a split, subset, group or name does not exist; in evaluation also
            templates that were made from annotations, and virtual keypoints.
    """

    METAINFO = dict(dataset_name='mp100')

    def __init__(
        self,
        ann_file: str | Sequence[str] = '',
        data_root: str = '',
        data_prefix: dict | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        max_redraws: int | None = None,
        check_images: bool = True,
        metainfo: dict | None = None,
        split: int | None = None,
        subset: str | Sequence[str] | None = None,
        include_categories: str | Sequence[int | str] | None = None,
        exclude_categories: str | Sequence[int | str] | None = None,
        template_file: str | None = None,
    ) -> None:
        names = split_files(ann_file, split, subset)
        data_root = data_root or ''
        self.ann_files = tuple(os.path.join(data_root, name) for name in names)
        self.included = read_category_choice(include_categories, 'include_categories')
        self.excluded = read_category_choice(exclude_categories, 'exclude_categories')
        self.template_file = template_file and os.path.join(data_root, template_file)
        self.templates: dict[int, Template] = {}
        self.max_redraws = max_redraws
        self.check_images = check_images
        self.filter_report = FilterReport()
        self.categories: dict[int, Category] = {}
        self.index_of: dict[int, int] = {}
        self.instances_by_category: dict[int, list[tuple[int, int]]] = {}
        self.missing_images: Counter[str] = Counter()
        self.num_without_image: Counter[int] = Counter()
        self.reductions: dict[int, Reduction] = {}
        super().__init__(
            ann_file='',
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=dict(data_prefix or dict(img='images/')),
            serialize_data=False,
            pipeline=pipeline,
            test_mode=test_mode,
        )
        if test_mode:
            refuse_virtual_keypoints(self.pipeline.transforms)

    def add_metainfo(self, **values: object) -> None:
        """Add to :attr:`metainfo`, which every metric gets as ``dataset_meta``."""
        self._metainfo.update(values)

    def load_data_list(self) -> list[Instance]:
        """Read, filter and index the annotation files."""
        if self.data_root and not os.path.isdir(self.data_root):
            raise MissingDataError(
                f'data_root not found: {self.data_root} (looked for its annotation '
                f'file {self.ann_file}). Set data_root in the config, or run '
                f'"make demo" to see the system on generated data.'
            )
        coco = read_annotation_files(self.ann_files, self.included, self.excluded)
        self.categories = read_categories(
            coco.dataset['categories'], coco.dataset['annotations'], self.ann_file
        )
        self.reductions = read_reductions(coco.dataset, self.ann_file)
        instances, self.filter_report = select_instances(coco, self.categories)
        print_log(f'{self.ann_file}: {self.filter_report}', logger='current')
        self.index_of = {inst.ann_id: i for i, inst in enumerate(instances)}
        missing = self._find_missing(instances) if self.check_images else set()
        self._fill_pools(instances, set() if self.test_mode else missing)
        if self.template_file:
            self._read_templates()
        return instances

    def _read_templates(self) -> None:
        pools = self.instances_by_category
        used = {i: self.categories[i] for i, pool in pools.items() if pool}
        self.templates = read_template_file(self.template_file, used, self.test_mode)
        self.categories |= adopt_skeletons(used, self.templates)

    def _load_template(self, episode: Episode) -> dict:
        template = self.templates[episode.category_id]
        return load_template(template, self.pipeline.transforms, episode.seed)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        self.ann_file = ' + '.join(self.ann_files)  # the parent knows of one file only

    def _find_missing(self, instances: Sequence[Instance]) -> set[str]:
        file_names = [inst.file_name for inst in instances]
        folder = self._image_folder
        missing = find_missing_files(file_names, folder)
        expected = self.data_prefix['img']  # not the folder looked in as a fallback
        refuse_if_all_missing(missing, file_names, expected, self.ann_file)
        if missing:
            message = describe_missing_files(missing, file_names, folder)
            print_log(
                f'{self.ann_file}: {message}', logger='current', level=logging.WARNING
            )
        self.missing_images = count_by_folder(missing)
        return set(missing)

    def _fill_pools(self, instances: Sequence[Instance], left_out: set[str]) -> None:
        self.instances_by_category = {key: [] for key in self.categories}
        for inst in instances:
            if inst.file_name in left_out:
                self.num_without_image[inst.category_id] += 1
            else:
                by_category = self.instances_by_category[inst.category_id]
                by_category.append((inst.ann_id, inst.img_id))

    @property
    def num_missing_images(self) -> int:
        """Number of distinct image files that are not on disk."""
        return self.missing_images.total()

    def get_instance(self, ann_id: int) -> Instance:
        """The usable annotation with this id.

        Raises:
            KeyError: the id is unknown, or the annotation was filtered out.
        """
        if ann_id not in self.index_of:
            raise KeyError(
                f'annotation {ann_id} is not among the {len(self)} usable instances of '
                f'{self.ann_file}: the episode was drawn from another file, or the '
                f'annotation is empty'
            )
        return self.data_list[self.index_of[ann_id]]

    def image_path(self, instance: Instance) -> str:
        """Path of an instance's image file."""
        return os.path.join(self._image_folder, instance.file_name)

    @cached_property
    def _image_folder(self) -> str:
        # asked of the disk once, not for every image
        folder = self.data_prefix['img']
        return folder if os.path.isdir(folder) else self.data_root

    def __getitem__(self, episode: Episode) -> dict:
        if not isinstance(episode, Episode):
            raise TypeError(
                f'{type(self).__name__} is indexed by an Episode, got '
                f'{type(episode).__name__}. Give the data loader '
                f"sampler=dict(type='EpisodeSampler', ...)."
            )
        return self._load_fixed(episode) if self.test_mode else self._load(episode)

    def _load_instance(self, ann_id: int, episode: Episode) -> dict:
        instance = self.get_instance(ann_id)
        results = dict(
            img_path=self.image_path(instance),
            ann_id=instance.ann_id,
            img_id=instance.img_id,
            bbox=instance.bbox.copy(),
            keypoints_orig=instance.keypoints.copy(),
            is_visible=instance.is_visible.copy(),
            visibility=instance.visibility,
            episode_seed=episode.seed,
            rng=np.random.default_rng([episode.seed, ann_id]),
        )
        return self.pipeline(results)

    def _load(self, episode: Episode) -> dict:
        """Load a training episode; what can't be loaded is redrawn."""
        supports = [self._load_template(episode)] if self.templates else []
        wanted = () if supports else episode.support_ids
        category = self.categories[episode.category_id]
        loaded, redrawn = load_or_redraw(
            [*wanted, *episode.query_ids],
            num_shots=len(wanted),
            pool=self.instances_by_category[episode.category_id],
            load=lambda ann_id: self._load_instance(ann_id, episode),
            image_of=lambda ann_id: self.get_instance(ann_id).img_id,
            seed=episode.seed,
            max_redraws=self.max_redraws,
            source=self.ann_file,
            category=f'{category.id} ({category.name})',
        )
        supports += loaded[: len(wanted)]
        return self._pack(episode, supports, loaded[len(wanted) :], [], redrawn)

    def _load_fixed(self, episode: Episode) -> dict:
        """Load an evaluation episode; drop the pairs that can't be loaded."""
        loaded = load_or_drop(
            episode.query_ids,
            load_supports=lambda: self._load_supports(episode),
            load_query=lambda ann_id: self._load_instance(ann_id, episode),
        )
        return self._pack(episode, *loaded)

    def _load_supports(self, episode: Episode) -> list[dict]:
        if self.templates:
            return [self._load_template(episode)]
        return [self._load_instance(i, episode) for i in episode.support_ids]

    def _pack(
        self, episode: Episode, supports: list, queries: list, *notes: list[dict]
    ) -> dict[str, dict | EpisodeDataSample]:
        category = self.categories[episode.category_id]
        return pack_episode(episode, category, supports, queries, *notes)
