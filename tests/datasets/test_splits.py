"""Files and categories of a split; a held-out group never reaches the training."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from config_models import CONFIG_DIR
from mmengine.registry import DefaultScope
from mmpose.registry import DATASETS

from cape_mm.apis import load_config
from cape_mm.datasets import MP100EpisodeDataset
from cape_mm.datasets.splits import (
    CATEGORY_GROUPS,
    read_category_choice,
    split_files,
)
from cape_mm.errors import ConfigError

SUBSETS = ('train', 'val', 'test')
SIZES = dict(body=46, face=32, vehicle=3, furniture=5)
FACE_LIKE_FOLDER = 18  # a human face whose folder is called amur_tiger_body


@pytest.mark.parametrize(
    ('arguments', 'expected'),
    [
        (('', 2, 'val'), ['annotations/mp100_split2_val.json']),
        (('x.json',), ['x.json']),
        (('x.json', 2, 'val'), ['x.json']),  # a fixed name is taken as it is
        (('s{split}_{subset}.json', 7, 'test'), ['s7_test.json']),
        (('{odd}{split}.json', 1), ['{odd}1.json']),
        ((['a.json', 'b{split}.json', 'a.json'], 3), ['a.json', 'b3.json']),
        (('{subset}.json', None, SUBSETS), ['train.json', 'val.json', 'test.json']),
    ],
)
def test_files_of_a_split(arguments, expected):
    assert list(split_files(*arguments)) == expected


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('', 6, 'val'), 'split=6 does not exist: splits are 1 to 5'),
        (('', 0, 'val'), 'split=0 does not exist'),
        (('', '2', 'val'), "split='2' does not exist"),
        (('x{split}.json', 0), 'splits are positive integers'),
        (('', 1, 'valid'), "subset='valid' does not exist: train, val, test do"),
        (('', 1, None), 'needs ann_file, or split .* subset=None'),
        (('', None, 'val'), 'needs ann_file, or split'),
        (('x{split}.json', None), 'asks for a split, but the data set has none'),
        (('x{subset}.json', 1), 'asks for a subset, but'),
    ],
)
def test_files_that_can_not_be_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        split_files(*arguments)


def test_groups_are_disjoint_and_of_the_documented_size():
    assert {name: len(set(ids)) for name, ids in CATEGORY_GROUPS.items()} == SIZES
    together = set().union(*CATEGORY_GROUPS.values())
    assert len(together) == sum(SIZES.values())
    assert together < set(range(1, 101))
    assert FACE_LIKE_FOLDER in CATEGORY_GROUPS['face']


def test_groups_are_those_of_the_real_categories(mp100_annotations):
    """The table again, from the names of the files themselves."""
    text = (mp100_annotations / 'mp100_categories.csv').read_text()
    expected: dict[str, set[int]] = {name: set() for name in SIZES}
    for row in csv.DictReader(text.splitlines()):
        kind = row['supercategory']
        if kind in ('clothes', 'hand'):
            continue
        is_face = kind == 'animal_face' or row['name'] == 'face'
        group = kind if kind in SIZES else 'face' if is_face else 'body'
        expected[group].add(int(row['id']))
        assert is_face or group != 'body' or row['image_folder'].endswith('_body')
    assert {name: set(ids) for name, ids in CATEGORY_GROUPS.items()} == expected


def test_choice_of_categories():
    assert read_category_choice('vehicle', 'x') == {32, 38, 51}
    assert read_category_choice([3, 1, 3], 'x') == {1, 3}
    assert read_category_choice(None, 'x') is None
    assert read_category_choice(['face', 1], 'x') == {'face', 1}
    for wrong in ('cars', [], [True]):
        with pytest.raises(ConfigError, match='include_categories='):
            read_category_choice(wrong, 'include_categories')


@pytest.mark.parametrize('split', [2, 5])
def test_one_option_sets_the_split_of_all_loaders(split):
    cfg = load_config(CONFIG_DIR / 'cape_mp100.py', dict(split=split))
    for subset in SUBSETS:
        dataset = cfg[f'{subset}_dataloader'].dataset
        names = split_files(dataset.get('ann_file', ''), dataset.split, dataset.subset)
        assert names == (f'annotations/mp100_split{split}_{subset}.json',)


@pytest.mark.parametrize(
    ('config', 'options'),
    [
        ('cape_tiny_scratch', {}),  # its files have fixed names
        ('cape_mp100', dict(test_ann_file='annotations/mine.json')),
    ],
)
def test_a_split_that_would_change_nothing_is_refused(config, options):
    with pytest.raises(ConfigError, match='split=2: nothing would change in t'):
        load_config(CONFIG_DIR / f'{config}.py', dict(options, split=2))


def write_hundred_categories(root: Path) -> None:
    """Three files of split 1 of 100 categories, 2 instances each; two overlap."""
    (root / 'annotations').mkdir(parents=True)
    parts = dict(train=range(1, 73), val=range(71, 81), test=range(81, 101))
    for subset, ids in parts.items():
        content = dict(
            categories=[dict(id=i, name=f'c{i}', skeleton=[[0, 1]]) for i in ids],
            images=[
                dict(id=10 * i + j, file_name=f'{i}/{j}.jpg', width=50, height=50)
                for i in ids
                for j in (1, 2)
            ],
            annotations=[
                dict(
                    id=10 * i + j,
                    image_id=10 * i + j,
                    category_id=i,
                    bbox=[5, 5, 30, 30],
                    keypoints=[10, 10, 2, 20, 20, 2],
                )
                for i in ids
                for j in (1, 2)
            ],
        )
        path = root / f'annotations/mp100_split1_{subset}.json'
        path.write_text(json.dumps(content))


def open_loader(name: str, loader: str, root: Path) -> MP100EpisodeDataset:
    """A loader's data set as the config has it, without images."""
    cfg = load_config(CONFIG_DIR / f'{name}.py', dict(data_root=str(root)))
    dataset = dict(cfg[f'{loader}_dataloader'].dataset, check_images=False, pipeline=[])
    with DefaultScope.overwrite_default_scope('mmpose'):
        return DATASETS.build(dataset)


def check_held_out(root: Path, name: str, group: str) -> None:
    """Training and test share nothing, and together they are everything."""
    train, test = (open_loader(name, loader, root) for loader in ('train', 'test'))
    held_out = set(CATEGORY_GROUPS[group])
    assert {i for i, pool in test.instances_by_category.items() if pool} == held_out
    assert set(train.categories) == set(range(1, 101)) - held_out
    for key in ('ann_id', 'img_id', 'category_id', 'file_name'):
        seen = {getattr(instance, key) for instance in train.index.instances}
        tested = {getattr(instance, key) for instance in test.index.instances}
        assert seen
        assert not seen & tested, key
    ids = [inst.ann_id for data in (train, test) for inst in data.index.instances]
    assert len(ids) == len(set(ids)) == open_all(root)


def open_all(root: Path) -> int:
    """Number of instances of the three files, each once."""
    dataset = MP100EpisodeDataset(
        data_root=str(root), split=1, subset=SUBSETS, check_images=False
    )
    return len(dataset)


@pytest.mark.parametrize('group', SIZES)
def test_held_out_group_never_reaches_the_training(tmp_path, group):
    write_hundred_categories(tmp_path)
    assert open_all(tmp_path) == 200
    check_held_out(tmp_path, f'cross_category/mp100_{group}', group)


@pytest.mark.parametrize('group', ['vehicle'])
def test_held_out_group_of_the_real_files(mp100_annotations, tmp_path, group):
    folder = tmp_path / 'annotations'
    folder.mkdir()
    for subset in SUBSETS:
        (source,) = mp100_annotations.glob(f'mp100_split1_{subset}*.json')
        (folder / f'mp100_split1_{subset}.json').symlink_to(source)
    check_held_out(tmp_path, f'cross_category/mp100_{group}', group)
