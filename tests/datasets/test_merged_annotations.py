"""Several annotation files read as one: every entry once, disagreements refused."""

from __future__ import annotations

import copy
import json

import pytest
from episode_data import CocoTree

from cape_mm.datasets import MP100EpisodeDataset
from cape_mm.datasets.annotation_file import read_annotation_files
from cape_mm.errors import AnnotationFormatError


@pytest.fixture
def tree(coco_tree) -> CocoTree:
    """Three categories; one image shows an instance of 1 and one of 2."""
    coco_tree.fill(1, num_images=3)
    coco_tree.fill(2, num_images=3, num_keypoints=5)
    coco_tree.fill(3, num_images=2)
    coco_tree.add_annotation(1, 2, keypoints=[20.0, 20.0, 2] * 5)
    return coco_tree


def write_part(tree: CocoTree, name: str, category_ids: set[int], **changes) -> str:
    """A file with some categories, as the splits of MP-100 repeat them."""
    content = copy.deepcopy(tree.content)
    content['categories'] = [
        c for c in content['categories'] if c['id'] in category_ids
    ]
    anns = [a for a in content['annotations'] if a['category_id'] in category_ids]
    shown = {ann['image_id'] for ann in anns}
    content['annotations'] = anns
    content['images'] = [i for i in content['images'] if i['id'] in shown]
    for path, value in changes.items():
        kind, key = path.split('__')
        content[kind][0][key] = value
    (tree.root / name).write_text(json.dumps(content))
    return str(tree.root / name)


def ids(coco, kind):
    return [entry['id'] for entry in coco.dataset[kind]]


def test_overlapping_files_give_every_entry_once(tree):
    files = [write_part(tree, 'a.json', {1, 2}), write_part(tree, 'b.json', {2, 3})]
    coco = read_annotation_files(files)
    assert ids(coco, 'categories') == [1, 2, 3]
    assert sorted(ids(coco, 'images')) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sorted(ids(coco, 'annotations')) == list(range(100, 109))
    dataset = MP100EpisodeDataset(
        ['a.json', 'b.json'], data_root=str(tree.root), test_mode=True
    )
    assert len(dataset) == 9
    assert dataset.index.filter_report.dropped == {}
    assert dataset.ann_files == tuple(files)


def test_the_same_file_twice_is_that_file(tree):
    path = write_part(tree, 'a.json', {1, 2, 3})
    once, twice = read_annotation_files([path]), read_annotation_files([path, path])
    assert twice.dataset == once.dataset


def test_a_repetition_within_a_file_is_left_to_be_counted(tree):
    tree.content['annotations'].append(tree.content['annotations'][0])
    write_part(tree, 'a.json', {1, 2})
    write_part(tree, 'b.json', {3})
    dataset = MP100EpisodeDataset(['a.json', 'b.json'], data_root=str(tree.root))
    assert dataset.index.filter_report.dropped == {'annotation id used before': 1}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(images__width=49), '"images" with id 4 has another "width"'),
        (dict(images__file_name='x.jpg'), '"images" .* another "file_name"'),
        (dict(annotations__category_id=3), '"annotations" .* "category_id"'),
        (dict(annotations__keypoints=[1.0, 1.0, 2] * 5), '"annotations" .*"keypoints"'),
        (dict(categories__name='other'), '"categories" with id 2 has another "name"'),
        (dict(categories__skeleton=[]), '"categories" .* another "skeleton"'),
    ],
)
def test_files_that_disagree_are_refused(tree, change, message):
    first = write_part(tree, 'a.json', {1, 2})
    tree.content['images'] = tree.content['images'][3:] + tree.content['images'][:3]
    second = write_part(tree, 'b.json', {2, 3}, **change)
    with pytest.raises(AnnotationFormatError, match=f'b.json .*a.json .*{message}'):
        read_annotation_files([first, second])


def test_included_and_excluded_categories(tree):
    path = write_part(tree, 'a.json', {1, 2, 3})
    coco = read_annotation_files([path], include={1, 2}, exclude={2})
    assert ids(coco, 'categories') == [1]
    assert ids(coco, 'images') == [1, 2, 3]
    assert ids(coco, 'annotations') == [100, 101, 102]
    # the first image also shows an instance of category 2
    coco = read_annotation_files([path], exclude=[1])
    assert ids(coco, 'images') == [1, 4, 5, 6, 7, 8]
    assert 100 not in ids(coco, 'annotations')


def test_an_image_without_annotations_stays(tree):
    lonely = tree.add_image()
    coco = read_annotation_files([tree.write()], exclude={1})
    assert lonely in ids(coco, 'images')


def test_category_that_no_file_has(tree):
    path = write_part(tree, 'a.json', {1, 2})
    with pytest.raises(AnnotationFormatError, match='no category with id 3, 9, which'):
        read_annotation_files([path], include={1, 3, 9})


def test_files_of_the_real_splits_agree(mp100_annotations):
    files = sorted(mp100_annotations.glob('mp100_split?_*.json'))
    coco = read_annotation_files(files)
    assert len(coco.dataset['categories']) == 100
    assert len(coco.anns) == len(coco.dataset['annotations'])
    tests = read_annotation_files([f for f in files if f.stem.endswith('test')])
    assert len(tests.anns) == 10_000
