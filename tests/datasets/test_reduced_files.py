"""A reduced file remembers the complete one, so that its results are partial."""

from __future__ import annotations

import json

import pytest
from episode_data import open_tree

from cape_mm.data_tools.checking import check_dataset, write_available
from cape_mm.datasets import FixedEpisodeSampler
from cape_mm.datasets.annotation_file import read_annotation_file, read_annotation_files
from cape_mm.datasets.evaluation_plan import NOT_IN_FILE, dataset_meta
from cape_mm.datasets.reduced_files import Reduction, read_reductions
from cape_mm.errors import AnnotationFormatError
from cape_mm.evaluation import EpisodePCK

FEW = dict(num_shots=1, num_queries=2)
DRAW = dict(episodes_per_category=3, **FEW)


@pytest.fixture
def tree(coco_tree):
    """Categories 1 (six images, one lost), 2 (all there), 3 (two of three lost)."""
    for category_id, number in ((1, 6), (2, 4), (3, 3)):
        coco_tree.fill(category_id, num_images=number)
    coco_tree.add_annotation(1, 1, num_keypoints=0)  # never usable: no gap
    for image_id in (2, 12, 13):
        coco_tree.image_path(image_id).unlink()
    return coco_tree


def reduce(tree, name='data.json', out='out'):
    (path,) = write_available(
        check_dataset(tree.root / name, tree.image_folder, **FEW), tree.root / out
    ).values()
    return path


def open_file(tree, path, **kwargs):
    tree.content = json.loads(path.read_text())
    return open_tree(tree, **kwargs)


def test_file_says_what_the_complete_one_had(tree):
    tree.write()
    content = read_annotation_file(reduce(tree)).dataset
    assert list(read_reductions(content, '').values()) == [
        Reduction(1, 'cat1', num_instances=6, num_kept=5),
        Reduction(2, 'cat2', num_instances=4, num_kept=4),
        Reduction(3, 'cat3', num_instances=3, num_kept=0),
    ]
    assert [category['id'] for category in content['categories']] == [1, 2]


def test_complete_data_has_none(tree):
    content = read_annotation_file(tree.write()).dataset
    assert read_reductions(content, '') == {}
    assert read_reductions({'info': ['by', 'me']}, '') == {}
    assert open_tree(tree).reductions == {}


def test_reduced_again_still_knows_the_first(tree):
    tree.content['categories'][0]['skeleton'] = [[1, 2], [3, 4]]
    tree.write()
    first = reduce(tree)
    tree.image_path(4).unlink()
    again = reduce(tree, f'out/{first.name}', 'again')
    found = read_reductions(read_annotation_file(again).dataset, '')
    assert [(r.num_instances, r.num_kept) for r in found.values()] == [
        *((6, 4), (4, 4), (3, 0))
    ]


def test_files_read_as_one_are_added(tree):
    tree.write()
    one = reduce(tree)
    content = json.loads(one.read_text())
    content['info']['complete_data'][1].update(num_instances=9)
    other = tree.root / 'other.json'
    other.write_text(json.dumps(content))
    merged = read_annotation_files([one, other]).dataset
    found = read_reductions(merged, '')
    assert found[1] == Reduction(1, 'cat1', num_instances=12, num_kept=10)
    assert found[2].num_left_out == 5
    only = read_annotation_files([one], include=[3, 2], exclude=[2]).dataset
    assert list(read_reductions(only, '')) == [3]


def test_plan_counts_the_complete_file(tree):
    tree.write()
    dataset = open_file(tree, reduce(tree))
    sampler = FixedEpisodeSampler(dataset, **DRAW)
    assert sampler.evaluation_plan == {
        1: dict(name='cat1', num_pairs=6, left_out=None, num_left_out=1),
        2: dict(name='cat2', num_pairs=6, left_out=None),
        3: dict(name='cat3', num_pairs=6, left_out=NOT_IN_FILE, num_left_out=3),
    }


@pytest.mark.parametrize(
    'excluded, text',
    [
        ((), 'partial: 2 of 3 categories, 12 of 18 pairs, drawn without 4 instances'),
        (
            (3,),
            'partial: 2 of 2 categories, 12 of 12 pairs, drawn without 1 instance',
        ),
        ((1, 3), None),
    ],
)
def test_result_is_partial(tree, excluded, text):
    tree.write()
    path = reduce(tree)
    kwargs = dict(exclude_categories=excluded) if excluded else {}
    dataset = open_file(tree, path, **kwargs)
    sampler = FixedEpisodeSampler(dataset, **DRAW)
    metric = EpisodePCK()
    metric.dataset_meta = dataset_meta(dataset, sampler)
    for episode in sampler:
        sample = dataset[episode]['data_samples']
        sample.pred_instances = sample.gt_instances.clone()
        metric.process(None, [sample.to_dict()])
    partial = metric.evaluate(len(sampler))['partial']
    assert (partial and partial['text']) == text


@pytest.mark.parametrize(
    'entries',
    [
        5,
        [5],
        [dict(id=1, name='cat', num_instances=3)],
        [dict(id=1, name='cat', num_instances=3, num_kept=4)],
        [dict(id='1', name='cat', num_instances=3, num_kept=3)],
    ],
)
def test_edited_entry_is_refused(tree, entries):
    tree.content['info'] = dict(complete_data=entries)
    with pytest.raises(AnnotationFormatError, match=r'"complete_data" of its "info"'):
        open_tree(tree)
