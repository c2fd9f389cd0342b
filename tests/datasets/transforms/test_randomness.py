"""What every random change of an instance keeps to: its generator, share and input."""

import numpy as np
import pytest

from cape_mm.datasets.transforms import (
    EpisodeColor,
    RandomGaussianBlur,
    RandomInstanceAffine,
    RandomOcclusion,
    RandomPhotometric,
)

NOISE = np.random.default_rng(0).integers(60, 180, (32, 32, 3), dtype=np.uint8)
MAKERS = [
    EpisodeColor,
    lambda prob: RandomGaussianBlur(sigma=(0.04, 0.12), prob=prob),
    RandomInstanceAffine,
    RandomOcclusion,
    RandomPhotometric,
]
KINDS = [EpisodeColor, RandomGaussianBlur, RandomInstanceAffine, RandomOcclusion]
KINDS += [RandomPhotometric]
every_kind = pytest.mark.parametrize(
    'make', MAKERS, ids=[kind.__name__ for kind in KINDS]
)


def run(transform, seed):
    """What shows of a change: the picture and the crop."""
    results = transform(
        dict(
            img=NOISE.copy(),
            keypoints=np.array([[3.0, 4.0], [28.0, 28.0]], np.float32),
            is_visible=np.ones(2, bool),
            rng=np.random.default_rng(seed),
            episode_seed=seed,
            crop_rotation=0.0,
            crop_side=20.0,
            crop_shift=(0.0, 0.0),
        )
    )
    crop = (results['crop_rotation'], results['crop_side'], *results['crop_shift'])
    return results['img'].tobytes(), crop


@every_kind
def test_share_of_changed_instances(make):
    as_it_was = run(lambda results: results, 0)
    assert all(run(make(prob=0.0), seed) == as_it_was for seed in range(20))
    changed = [run(make(prob=0.3), seed) != as_it_was for seed in range(400)]
    assert 0.2 < np.mean(changed) < 0.4


@every_kind
def test_the_generator_alone_decides(make):
    first = [run(make(prob=1.0), seed) for seed in range(5)]
    assert [run(make(prob=1.0), seed) for seed in range(5)] == first
    assert len(set(first)) == 5


@every_kind
def test_the_picture_given_is_not_written_to(make):
    given = NOISE.copy()
    given.flags.writeable = False
    results = dict(
        img=given,
        keypoints=np.array([[3.0, 4.0], [28.0, 28.0]], np.float32),
        is_visible=np.ones(2, bool),
        rng=np.random.default_rng(0),
        episode_seed=0,
        crop_rotation=0.0,
        crop_side=20.0,
    )
    make(prob=1.0)(results)
    assert np.array_equal(given, NOISE)
