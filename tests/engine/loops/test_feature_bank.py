"""Where features are kept, and that they come back as they were."""

from __future__ import annotations

import pytest
import torch

from cape_mm.engine.loops.feature_bank import (
    MIB,
    BankLimits,
    FeatureBank,
    bytes_per_row,
    find_capacity,
)
from cape_mm.errors import ConfigError
from cape_mm.models.estimators import InstanceFeatures

CPU, OTHER = torch.device('cpu'), torch.device('meta')


def make_features(num: int, start: float = 0.0) -> InstanceFeatures:
    """Two tensors for a query and one for a support; row i holds start + i."""
    values = torch.arange(num, dtype=torch.float32) + start
    return InstanceFeatures(
        (values[:, None].expand(num, 3),),
        (values[:, None, None].expand(num, 2, 2), values[:, None].double()),
    )


def test_rows_come_back_by_role():
    bank = FeatureBank(5, {CPU: MIB})
    bank.append(make_features(2))
    bank.append(make_features(3, start=2))
    taken = bank.take([4, 0, 0], [1, 3], CPU)
    assert taken.as_support[0].tolist() == [[4] * 3, [0] * 3, [0] * 3]
    assert taken.as_query[0][:, 0, 0].tolist() == [1, 3]
    assert taken.as_query[1].tolist() == [[1], [3]]
    assert taken.as_query[1].dtype == torch.float64
    assert bank.num_bytes == 5 * (3 * 4 + 4 * 4 + 8)


def test_a_smaller_type_is_kept_and_undone():
    bank = FeatureBank(2, {CPU: MIB}, torch.bfloat16)
    bank.append(make_features(2, start=1 + 2**-10))
    taken = bank.take([0], [1], CPU)
    assert taken.as_support[0].dtype == torch.float32
    assert taken.as_support[0].tolist() == [[1.0] * 3]
    assert bank.num_bytes == 2 * 2 * (3 + 4 + 1)


def test_the_first_place_that_is_large_enough():
    features = make_features(4)
    needed = 4 * bytes_per_row(features, None)
    for room, place in ((needed - 1, CPU), (needed, OTHER)):
        bank = FeatureBank(4, {OTHER: room, CPU: MIB})
        bank.append(features)
        assert bank.place == place


def test_what_is_on_the_cpu_goes_to_the_model():
    bank = FeatureBank(5, {CPU: MIB})
    bank.append(make_features(5))
    taken = bank.take([4, 0, 0], [1, 3], OTHER)
    assert taken.as_query[0].device == OTHER
    assert taken.as_support[0].shape == (3, 3)
    assert taken.as_query[0].shape == (2, 2, 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('room', [0, MIB], ids=['spilled', 'on the GPU'])
def test_rows_on_a_gpu(room):
    device = torch.device('cuda', torch.cuda.current_device())
    bank = FeatureBank(5, {device: room, CPU: MIB})
    parts = make_features(5)
    bank.append(
        InstanceFeatures(
            *(
                tuple(p.to(device) for p in r)
                for r in (parts.as_support, parts.as_query)
            )
        )
    )
    assert bank.place == (device if room else CPU)
    taken = bank.take([4, 0, 0], [1, 3], device)
    assert taken.as_query[0].is_cuda
    assert taken.as_support[0][:, 0].tolist() == [4, 0, 0]
    assert taken.as_query[0][:, 0, 0].tolist() == [1, 3]


def test_capacity_is_that_of_the_largest_place():
    assert find_capacity({OTHER: 100, CPU: 1000}, 30, num_needed=33) == 33
    message = r'up to 34 instances of .*meta: 0\.0 MiB, cpu: 0\.0 MiB.*bfloat16'
    with pytest.raises(ConfigError, match=message):
        find_capacity({OTHER: 100, CPU: 1000}, 30, num_needed=34)


def test_bounds_of_a_device():
    assert BankLimits(cpu_mib=2).resolve(CPU) == {CPU: 2 * MIB}
    bounds = BankLimits(gpu_mib=1, cpu_mib=2).resolve(OTHER)
    assert list(bounds.items()) == [(OTHER, MIB), (CPU, 2 * MIB)]
