"""From a collated batch to tensors, by hand."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from mmengine.dataset import pseudo_collate
from tiny_cape import assert_same_fields, make_episode, mixed_episodes

from cape_mm.datasets import collate_episodes
from cape_mm.errors import ConfigError
from cape_mm.models import EpisodeDataPreprocessor
from cape_mm.structures.skeleton import UNREACHABLE


def run(items, **kwargs):
    layer = EpisodeDataPreprocessor(**kwargs)
    return layer(collate_episodes(deepcopy(items)))['inputs']


def test_channels_are_swapped_then_normalised():
    item = make_episode(num_queries=1)
    item['inputs']['query'][:] = torch.tensor([10, 20, 30]).view(3, 1, 1)  # B, G, R
    item['inputs']['support'][:] = torch.tensor([40, 50, 60]).view(3, 1, 1)
    inputs = run([item], mean=(1, 2, 3), std=(1, 2, 4))
    assert inputs.query_images[0, :, 5, 7].tolist() == [29, 9, 1.75]
    assert inputs.support_images[0, 0, :, 0, 0].tolist() == [59, 24, 9.25]
    inputs = run([item], mean=(0, 0, 0), std=(1, 1, 1), bgr_to_rgb=False)
    assert inputs.query_images[0, :, 0, 0].tolist() == [10, 20, 30]


def test_pixels_become_shares_of_the_crop():
    item = make_episode()
    item['data_samples'].support_instances.keypoints[0, :2] = torch.tensor(
        [[-0.5, 63.5], [31.5, 0.0]]
    )
    points = run([item]).support_keypoints
    assert points[0, 0, :2].tolist() == [[0, 1], [0.5, 0.5 / 64]]


def test_invisible_keypoints_and_padding_are_zero():
    small = make_episode(1, 5, support_hidden=((0, 3),))
    support = small['data_samples'].support_instances
    support.keypoints[0, 3] = torch.tensor([float('nan'), 1e6])
    inputs = run([small, make_episode(2, 7)])
    assert inputs.support_visible[0, 0].tolist() == [True] * 3 + [
        False,
        True,
        False,
        False,
    ]
    assert not inputs.support_keypoints[0, 0, [3, 5, 6]].any()
    assert torch.equal(inputs.is_known, inputs.support_visible[:, 0])
    assert inputs.num_steps == 7


def test_hops_are_padded_as_unreachable():
    hops = run([make_episode(1, 6), make_episode(2, 7)]).hops
    assert hops.dtype == torch.int64 and hops.shape == (2, 7, 7)
    assert hops[0, 3].tolist() == [2, 3, 1, 0, UNREACHABLE, UNREACHABLE, UNREACHABLE]
    assert (hops[0, 6] == UNREACHABLE).all() and (hops[0, :, 6] == UNREACHABLE).all()


@pytest.mark.parametrize(('multiple', 'padded'), [(1, 7), (4, 8), (7, 7), (16, 16)])
def test_keypoints_are_padded_to_a_multiple(multiple, padded):
    items = [make_episode(1, 5), make_episode(2, 7)]
    batch = collate_episodes(items, keypoint_multiple=multiple)
    inputs = EpisodeDataPreprocessor()(batch)['inputs']
    plain = run(items)
    assert inputs.hops.shape == (2, padded, padded)
    assert inputs.support_keypoints.shape[2] == padded
    assert torch.equal(inputs.support_keypoints[:, :, :7], plain.support_keypoints)
    assert torch.equal(inputs.hops[:, :7, :7], plain.hops)
    assert not inputs.is_known[:, 7:].any()
    assert inputs.num_steps == plain.num_steps


def test_steps_count_keypoints_known_from_any_shot():
    hidden = ((0, 0), (0, 1), (1, 1), (1, 2))
    inputs = run([make_episode(num_shots=2, support_hidden=hidden)])
    assert inputs.is_known[0].tolist() == [True, False, True, True, True]
    assert inputs.num_steps == 4


def test_dropped_episodes_take_no_part():
    items = mixed_episodes()
    dropped = make_episode(9, num_queries=0)
    batch = collate_episodes([dropped, items[0], dropped, items[1]])
    prepared = EpisodeDataPreprocessor()(batch)
    assert len(prepared['data_samples']) == 4
    assert_same_fields(prepared['inputs'], run(items[:2]))


def test_another_collate_function_is_refused():
    with pytest.raises(ConfigError, match='not collated by collate_fn=.*collate_ep'):
        EpisodeDataPreprocessor()(pseudo_collate(mixed_episodes()))


def test_batch_is_left_as_it_came():
    items = mixed_episodes()
    batch = collate_episodes(items)
    before = deepcopy(batch)
    EpisodeDataPreprocessor()(batch)
    for key in ('support', 'query'):
        for one, other in zip(batch['inputs'][key], before['inputs'][key]):
            assert torch.equal(one, other)
    for one, other in zip(batch['data_samples'], before['data_samples']):
        assert torch.equal(
            one.support_instances.keypoints, other.support_instances.keypoints
        )


def test_batch_prepared_ahead_is_what_forward_makes():
    items = mixed_episodes()
    layer = EpisodeDataPreprocessor()
    batch = collate_episodes(deepcopy(items))
    ahead = layer.prepare_ahead(batch)
    assert ahead['inputs'] is batch['inputs']  # hooks see the batch as it was
    again = layer(ahead, training=True)
    assert_same_fields(again['inputs'], layer(batch)['inputs'])
    assert again['data_samples'] is batch['data_samples']


class Dimmed(EpisodeDataPreprocessor):
    """A user's own, which does something more to the images."""

    def forward(self, data, training=False):
        prepared = super().forward(data, training)
        inputs = prepared['inputs']
        return prepared | dict(
            inputs=replace(inputs, query_images=inputs.query_images / 2)
        )


def test_what_a_subclass_adds_is_done_once():
    batch, layer = collate_episodes(mixed_episodes()), Dimmed()
    wanted = EpisodeDataPreprocessor()(batch)['inputs'].query_images / 2
    found = layer(layer.prepare_ahead(batch), True)['inputs'].query_images
    assert torch.equal(found, wanted)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_batch_on_a_gpu_equals_that_on_a_cpu():
    batch = collate_episodes(mixed_episodes())
    found = EpisodeDataPreprocessor().cuda()(batch)['inputs']
    assert all(tensor.is_cuda for tensor in found.tensors())
    wanted = EpisodeDataPreprocessor()(batch)['inputs']
    for one, other in zip(found.tensors(), wanted.tensors()):
        torch.testing.assert_close(one.cpu(), other)
