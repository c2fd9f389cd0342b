"""What travels between a loader's worker and the training process."""

from __future__ import annotations

import pickle

import pytest
import torch
from tiny_cape import make_episode
from torch.utils.data._utils.pin_memory import pin_memory

from cape_mm.structures import ImageStack, PackedSamples

IMAGES = torch.arange(5 * 3 * 2 * 2, dtype=torch.uint8).view(5, 3, 2, 2)


def test_indexing_gives_views_of_each_episode():
    stack = ImageStack(IMAGES, [2, 0, 3])
    assert [len(part) for part in stack] == [2, 0, 3]
    assert torch.equal(stack[0], IMAGES[:2])
    assert torch.equal(stack[-1], IMAGES[2:])
    assert stack[2].data_ptr() == IMAGES[2:].data_ptr()
    with pytest.raises(IndexError):
        stack[3]


def test_counts_must_fit():
    with pytest.raises(ValueError, match=r'counts \[2, 2\] add up to 4.* 5 images'):
        ImageStack(IMAGES, [2, 2])


def make_samples(number: int = 3):
    return [
        make_episode(seed, num_keypoints=5 + seed)['data_samples']
        for seed in range(number)
    ]


def sent(packed: PackedSamples) -> PackedSamples:
    return pickle.loads(pickle.dumps(packed))


def test_reads_like_the_list():
    samples = make_samples()
    for packed in (PackedSamples(samples), sent(PackedSamples(samples))):
        assert len(packed) == 3
        assert [sample.num_keypoints for sample in packed] == [5, 6, 7]
        keypoints = packed[-1].gt_instances.keypoints
        assert torch.equal(keypoints, samples[-1].gt_instances.keypoints)
        assert len(packed[:2]) == 2


def test_unpacked_once_and_not_for_its_length():
    packed = sent(PackedSamples(make_samples()))
    assert len(packed) == 3
    assert packed._samples is None
    assert packed[0] is packed[0]


def test_changes_travel_on():
    packed = sent(PackedSamples(make_samples()))
    packed[0].set_metainfo(dict(note='seen'))
    assert sent(packed)[0].note == 'seen'
    assert len(sent(sent(PackedSamples(make_samples())))) == 3  # never looked at


def test_pinning_does_not_unpack():
    packed = sent(PackedSamples(make_samples()))
    assert pin_memory(packed) is packed
    assert packed._samples is None


def test_redrawn_instances_are_known_without_unpacking():
    samples = make_samples()
    entry = dict(ann_id=7, reason='image not found')
    samples[1].set_metainfo(dict(redrawn=[entry], category_name='cat'))
    packed = sent(PackedSamples(samples))
    category = f'{samples[1].category_id} (cat)'
    assert packed.redrawn == [dict(entry, category=category)]
    assert packed._samples is None
