"""From an episode to tensors: the right pictures, labels, layouts and randomness."""

import json

import numpy as np
import pytest
import torch
from episode_data import (
    CocoTree,
    assert_same,
    eval_pipeline,
    global_rng_states,
    load_batches,
    open_tree,
    train_pipeline,
)
from mmengine.dataset import pseudo_collate

from cape_mm.datasets import (
    EpisodeSampler,
    FixedEpisodeSampler,
    MP100EpisodeDataset,
    collate_episodes,
)
from cape_mm.datasets.synthetic.writer import annotation_path
from cape_mm.structures import Episode
from cape_mm.structures.geometry import apply_affine


def open_synthetic(root, split='train', train=True):
    pipeline = train_pipeline() if train else eval_pipeline()
    return MP100EpisodeDataset(
        f'annotations/{annotation_path(root, split).name}',
        data_root=str(root),
        pipeline=pipeline,
        test_mode=not train,
    )


def levels(images):
    """Grey level of the middle of every image, (N, 3, H, W) -> list."""
    return images[:, 0, 12:20, 12:20].float().mean(dim=(1, 2)).round().int().tolist()


def test_item_holds_the_pictures_and_labels_asked_for(coco_tree):
    ids = coco_tree.fill(3, num_images=5, per_image=2, num_keypoints=6)
    dataset = open_tree(coco_tree)
    item = dataset[Episode(3, (ids[8], ids[1]), (ids[5], ids[2], ids[7]), index=4)]
    inputs, sample = item['inputs'], item['data_samples']
    assert inputs['support'].shape == (2, 3, 32, 32)
    assert inputs['query'].shape == (3, 3, 32, 32)
    for images, instances in (
        (inputs['support'], sample.support_instances),
        (inputs['query'], sample.gt_instances),
    ):
        expected = [coco_tree.image_of(int(i)) for i in instances.ann_ids]
        assert instances.img_ids.tolist() == expected
        np.testing.assert_allclose(
            levels(images), [CocoTree.level(i) for i in expected], atol=1
        )
    assert sample.gt_instances.ann_ids.tolist() == [ids[5], ids[2], ids[7]]
    raw = coco_tree.content['annotations'][ids[5] - 100]
    expected = np.reshape(raw['keypoints'], (-1, 3))[:, :2]
    np.testing.assert_allclose(sample.gt_instances.keypoints_orig[0], expected, 1e-6)
    assert sample.gt_instances.bboxes[0].tolist() == [10, 10, 20, 20]
    back = apply_affine(sample.crop_to_image, sample.gt_instances.keypoints.numpy())
    np.testing.assert_allclose(back, sample.gt_instances.keypoints_orig, atol=1e-4)
    paths = [str(coco_tree.image_path(int(i))) for i in sample.gt_instances.img_ids]
    assert sample.query_img_paths == paths
    assert (sample.episode_index, sample.num_keypoints) == (4, 6)


def test_unknown_or_filtered_annotation_is_a_clear_error(coco_tree):
    ids = coco_tree.fill(1, num_images=2)
    empty_id = coco_tree.add_annotation(1, 1, num_keypoints=0)
    with pytest.raises(KeyError, match=f'annotation {empty_id} is not among the 2 '):
        open_tree(coco_tree)[Episode(1, (ids[0],), (empty_id,))]


@pytest.mark.parametrize('image_folder', ['images', '.', 'pictures/all'])
def test_image_layouts(tmp_path, image_folder):
    tree = CocoTree(tmp_path / 'data', image_folder)
    ids = tree.fill(1, num_images=2)
    prefix = dict(img=image_folder) if 'pictures' in image_folder else None
    item = open_tree(tree, data_prefix=prefix)[Episode(1, (ids[0],), (ids[1],))]
    assert item['data_samples'].dropped_pairs == []
    assert item['inputs']['query'].shape == (1, 3, 32, 32)


def test_augmentation_depends_on_seed_and_annotation_alone(coco_tree):
    a, b, c, d = coco_tree.fill(1, num_images=4)
    dataset = open_tree(coco_tree, train=True)
    first = dataset[Episode(1, (a,), (b, c), seed=5)]
    assert_same(first, dataset[Episode(1, (a,), (b, c), seed=5)])
    moved = dataset[Episode(1, (d, c), (a, b), seed=5)]  # other places, other company
    keypoints = first['data_samples'].gt_instances.keypoints
    moved_gt = moved['data_samples'].gt_instances
    assert torch.equal(moved_gt.keypoints[1], keypoints[0])
    assert torch.equal(moved['inputs']['query'][1], first['inputs']['query'][0])
    assert torch.equal(moved['inputs']['support'][1], first['inputs']['query'][1])
    other = dataset[Episode(1, (a,), (b, c), seed=6)]['data_samples'].gt_instances
    assert not torch.equal(other.keypoints, keypoints)


def test_a_whole_epoch_leaves_the_global_generators_alone(synthetic_root):
    dataset = open_synthetic(synthetic_root)
    sampler = EpisodeSampler(dataset, num_queries=2, episodes_per_epoch=20, seed=1)
    before = global_rng_states()
    for episode in sampler:
        assert dataset[episode]['inputs']['query'].shape == (2, 3, 32, 32)
    np.testing.assert_equal(global_rng_states(), before)


def test_keypoints_outside_the_crop_hide_in_training_and_stay_in_evaluation(coco_tree):
    coco_tree.add_category(1)
    keypoints = [20.0, 20.0, 2, 45.0, 38.0, 2, 22.0, 18.0, 0, 18.0, 22.0, 1]
    image_ids = [coco_tree.add_image(size=(60, 60)) for _ in range(2)]
    ids = [coco_tree.add_annotation(i, 1, keypoints=keypoints) for i in image_ids]
    episode = Episode(1, (ids[0],), (ids[1],), seed=2)
    gt = open_tree(coco_tree, train=True)[episode]['data_samples'].gt_instances
    assert gt.is_visible.tolist() == [[True, False, False, True]]
    assert gt.is_visible_orig.tolist() == [[True, True, False, True]]
    fixed = open_tree(coco_tree)[episode]['data_samples'].gt_instances
    assert fixed.is_visible.tolist() == [[True, True, False, True]]
    for found in (gt, fixed):
        expected = np.reshape(keypoints, (-1, 3))[None, :, :2]
        np.testing.assert_array_equal(found.keypoints_orig, expected)


@pytest.mark.parametrize('collate', [pseudo_collate, collate_episodes])
def test_data_loader_with_workers_equals_direct_loading(coco_tree, collate):
    coco_tree.fill(1, num_images=5, per_image=3, num_keypoints=4)
    coco_tree.fill(2, num_images=5, per_image=2, num_keypoints=9)
    dataset = open_tree(coco_tree, train=True)
    sampler = EpisodeSampler(
        dataset, num_shots=2, num_queries=3, episodes_per_epoch=12, seed=0
    )
    batches = load_batches(dataset, sampler, num_workers=2, collate=collate)
    assert len(batches) == 3
    if collate is collate_episodes:
        assert all(batch['inputs']['query'].images.is_shared() for batch in batches)
    items = [
        dict(inputs=dict(support=support, query=query), data_samples=sample)
        for batch in batches
        for support, query, sample in zip(
            batch['inputs']['support'], batch['inputs']['query'], batch['data_samples']
        )
    ]
    sizes = [item['data_samples'].num_keypoints for item in items]
    assert set(sizes) == {4, 9}
    for episode, item in zip(sampler, items, strict=True):
        assert_same(item, dataset[episode])
        assert item['data_samples'].episode_index == episode.index


def test_real_photographs_load(shared_data):
    root = shared_data / 'realcape'
    dataset = MP100EpisodeDataset(
        'annotations/realcape_val.json',
        data_root=str(root),
        pipeline=eval_pipeline(),
        test_mode=True,
    )
    sampler = FixedEpisodeSampler(dataset, episodes_per_category=1)
    content = json.loads((root / 'annotations/realcape_val.json').read_text())
    assert len(sampler) == len(content['categories'])
    for episode in sampler:
        assert dataset[episode]['data_samples'].query_slots == [0]


@pytest.mark.parametrize('what', ['category folder', 'image folder', 'file'])
def test_links_that_the_user_made_are_followed(tmp_path, what):
    """tools/dataset_tools/prepare_mp100.py makes such links to the source data sets."""
    tree = CocoTree(tmp_path / 'data')
    first, second = tree.fill(1, num_images=2)
    path = {
        'category folder': tree.image_path(2).parent,
        'image folder': tree.image_folder,
        'file': tree.image_path(2),
    }[what]
    elsewhere = tree.root.parent / 'elsewhere'
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    item = open_tree(tree)[Episode(1, (first,), (second,))]
    assert item['data_samples'].dropped_pairs == []
