"""Missing or broken images: redrawn in training, dropped and counted in evaluation."""

import pickle
import shutil
from dataclasses import replace

import pytest
import torch
from episode_data import all_tensors, assert_same, open_tree
from torch._utils import ExceptionWrapper

from cape_mm.datasets import FixedEpisodeSampler
from cape_mm.errors import MissingDataError
from cape_mm.structures import Episode


@pytest.fixture
def gap(coco_tree):
    """Two categories; the image of the second instance of category 1 is gone."""
    ids = coco_tree.fill(1, num_images=7)
    coco_tree.fill(2, num_images=7, num_keypoints=5)
    coco_tree.image_path(2).unlink()
    return coco_tree, ids


@pytest.mark.parametrize('place', ['support', 'query'])
def test_training_redraws_within_the_category(gap, log_records, place):
    tree, ids = gap
    dataset = open_tree(tree, train=True)
    log_records.clear()
    sides = dict(support=(ids[0],), query=(ids[2], ids[3]))
    sides[place] = (ids[1], *sides[place][1:])
    replacements = set()
    for seed in range(12):
        item = dataset[Episode(1, sides['support'], sides['query'], seed=seed)]
        sample = item['data_samples']
        supports, queries = sample.support_instances, sample.gt_instances
        ann_ids = supports.ann_ids.tolist() + queries.ann_ids.tolist()
        asked = [*sides['support'], *sides['query']]
        position = asked.index(ids[1])
        replacement = ann_ids.pop(position)
        asked.pop(position)
        assert ann_ids == asked  # the others stay where they were
        assert replacement in set(ids[4:]) | {ids[0], ids[2], ids[3]} - set(asked)
        images = supports.img_ids.tolist() + queries.img_ids.tolist()
        assert len(set(images)) == 3
        assert tree.image_of(replacement) in images
        assert (len(item['inputs']['support']), len(item['inputs']['query'])) == (1, 2)
        assert sample.dropped_pairs == []
        replacements.add(replacement)
        again = dataset[Episode(1, sides['support'], sides['query'], seed=seed)]
        assert_same(item, again)
    assert len(replacements) > 1
    assert len(log_records) == 24
    assert all(record.levelname == 'WARNING' for record in log_records)
    message = log_records[0].getMessage()
    assert str(tree.image_path(2)) in message
    assert 'redrawn within its category (try 1 of 4)' in message


def test_instance_without_a_point_in_the_crop_is_redrawn(gap, log_records):
    tree, ids = gap
    tree.content['annotations'][2]['keypoints'] = [47.0, 39.0, 2] * 4  # far from box
    item = open_tree(tree, train=True)[Episode(1, (ids[0],), (ids[2],))]
    assert ids[2] not in item['data_samples'].gt_instances.ann_ids.tolist()
    messages = [record.getMessage() for record in log_records]
    assert any('no visible keypoint in its crop' in message for message in messages)


def evaluation_sampler(dataset):
    return FixedEpisodeSampler(
        dataset, num_shots=1, num_queries=3, episodes_per_category=8
    )


@pytest.mark.parametrize('damage', ['deleted', 'emptied'])
def test_evaluation_drops_exactly_the_pairs_of_the_missing_image(coco_tree, damage):
    coco_tree.fill(1, num_images=6, per_image=2)
    coco_tree.fill(2, num_images=6, num_keypoints=5)
    before = open_tree(coco_tree)
    episodes = list(evaluation_sampler(before))
    whole = [before[episode] for episode in episodes]
    if damage == 'deleted':
        coco_tree.image_path(2).unlink()
        reason = 'image not found'
    else:
        coco_tree.image_path(2).write_bytes(b'')
        reason = 'image does not decode'
    after = open_tree(coco_tree)
    assert list(evaluation_sampler(after)) == episodes
    num_dropped = {'support': 0, 'query': 0}
    for episode, full in zip(episodes, whole):
        item = after[episode]
        is_gone = [coco_tree.image_of(i) == 2 for i in episode.query_ids]
        if coco_tree.image_of(episode.support_ids[0]) == 2:
            check_all_dropped(item, full, episode, f'support: {reason}')
            num_dropped['support'] += 1
        elif any(is_gone):
            check_some_dropped(item, full, episode, is_gone, f'query: {reason}')
            num_dropped['query'] += 1
        else:
            assert_same(item, full)
            assert item['data_samples'].dropped_pairs == []
    assert all(num_dropped.values())


def check_all_dropped(item, full, episode, reason):
    sample = item['data_samples']
    assert sample.dropped_pairs == [
        dict(slot=slot, ann_id=ann_id, reason=reason)
        for slot, ann_id in enumerate(episode.query_ids)
    ]
    assert sample.query_slots == []
    assert len(item['inputs']['query']) == len(item['inputs']['support']) == 0
    for name in ('gt_instances', 'support_instances'):
        for key, empty in sample.get(name).items():
            value = full['data_samples'].get(name)[key]
            assert (empty.shape, empty.dtype) == ((0, *value.shape[1:]), value.dtype)


def check_some_dropped(item, full, episode, is_gone, reason):
    sample = item['data_samples']
    kept = [slot for slot, gone in enumerate(is_gone) if not gone]
    assert sample.dropped_pairs == [
        dict(slot=slot, ann_id=episode.query_ids[slot], reason=reason)
        for slot, gone in enumerate(is_gone)
        if gone
    ]
    assert sample.query_slots == kept
    found, expected = all_tensors(item), all_tensors(full)
    for key, value in expected.items():
        is_per_query = key.startswith(('gt', 'query', 'crop'))
        assert torch.equal(found[key], value[kept] if is_per_query else value), key


def test_error_arrives_as_itself_from_a_data_loader_worker(gap):
    tree, ids = gap
    shutil.rmtree(tree.image_folder / 'cat1')
    dataset = open_tree(tree, train=True)
    try:
        dataset[Episode(1, (ids[0],), (ids[2],))]
    except MissingDataError:
        carried = ExceptionWrapper(where='in DataLoader worker process 0')
    with pytest.raises(MissingDataError, match='image not found'):
        pickle.loads(pickle.dumps(carried)).reraise()


@pytest.mark.parametrize('damage', ['a folder', 'a name that no disk takes'])
def test_image_that_the_system_refuses_to_read_is_redrawn(gap, damage):
    tree, ids = gap
    dataset = open_tree(tree, train=True)
    if damage == 'a folder':
        tree.image_path(3).unlink()
        tree.image_path(3).mkdir()
    else:
        instance = dataset.index[ids[2]]
        dataset = dataset.with_changes([replace(instance, file_name='x' * 5000)])
    sample = dataset[Episode(1, (ids[0],), (ids[2],))]['data_samples']
    assert sample.gt_instances.ann_ids.tolist() != [ids[2]]
    assert sample.redrawn[0] == dict(ann_id=ids[2], reason='image can not be read')


def test_category_is_tried_to_the_last_instance(coco_tree):
    ids = coco_tree.fill(1, num_images=30)
    dataset = open_tree(coco_tree, train=True)
    for image_id in range(1, 29):  # vanish after the index was built
        coco_tree.image_path(image_id).unlink()
    sample = dataset[Episode(1, (ids[0],), (ids[1],))]['data_samples']
    loaded = [*sample.support_instances.ann_ids, *sample.gt_instances.ann_ids]
    assert {int(i) for i in loaded} == {ids[28], ids[29]}
    coco_tree.image_path(29).unlink()
    with pytest.raises(MissingDataError) as info:
        dataset[Episode(1, (ids[0],), (ids[1],))]
    message = str(info.value)
    assert 'category 1 (cat1) of ' in message
    assert 'of its 30 instances' in message
    assert 'image not found' in message
