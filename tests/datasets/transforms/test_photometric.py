"""Colours and blur: what stays, what moves, how far, and what an episode shares."""

import colorsys

import cv2
import numpy as np
import pytest
import torch
from episode_data import CocoTree, eval_pipeline, open_tree
from mmcv.transforms import Compose
from mmpose.registry import TRANSFORMS

from cape_mm.datasets.transforms import (
    EpisodeColor,
    RandomGaussianBlur,
    RandomPhotometric,
)
from cape_mm.errors import ConfigError
from cape_mm.structures import Episode

NOISE = np.random.default_rng(0).integers(60, 180, (16, 16, 3), dtype=np.uint8)
STILL = dict(brightness=0, contrast=0, saturation=0, hue=0)
ORANGE = (20, 110, 220)
"""BGR, of hue 27 degrees."""


def run(img, seed=0, kind=RandomPhotometric, **kwargs):
    results = dict(img=img, episode_seed=seed, rng=np.random.default_rng(seed))
    return kind(**dict(prob=1) | kwargs)(results)['img']


def recolor(img, seed=0, **kwargs):
    return run(img, seed, EpisodeColor, **kwargs)


def flat(*bgr):
    return np.full((8, 8, 3), bgr, np.uint8)


def hue_of(img):
    """Hue of the first pixel in degrees, by another implementation."""
    b, g, r = img[0, 0] / 255
    return 360 * colorsys.rgb_to_hls(r, g, b)[0]


def distance(first, second):
    """Of two hues, degrees."""
    return abs((first - second + 180) % 360 - 180)


def test_brightness_scales_within_its_limits():
    levels = [
        run(flat(100, 100, 100), seed, **{**STILL, 'brightness': 0.25}).mean()
        for seed in range(60)
    ]
    assert 74 <= min(levels) < 82
    assert 118 < max(levels) <= 126


def test_contrast_spreads_around_the_mean():
    img = NOISE[..., :1].repeat(3, axis=2)
    spreads = []
    for seed in range(40):
        out = run(img, seed, **{**STILL, 'contrast': 0.25})
        assert abs(out.mean() - img.mean()) < 1
        spreads.append(out.std() / img.std())
    assert 0.74 < min(spreads) < 0.85
    assert 1.15 < max(spreads) < 1.26


def test_hue_wraps_around_red():
    hues = [hue_of(run(flat(0, 0, 200), s, **{**STILL, 'hue': 20})) for s in range(40)]
    assert 12 < max(distance(hue, 0) for hue in hues) <= 22
    assert any(0 < hue < 180 for hue in hues) and any(hue > 180 for hue in hues)


def test_grey_stays_grey():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    out = run(grey, saturation=0.9, hue=90)
    assert (out == out[..., :1]).all()
    for seed in range(20):
        np.testing.assert_array_equal(recolor(grey, seed), grey)


def recolored(img, turn, direction):
    """Oracle: the same change pixel by pixel, in floats."""
    out = np.empty(img.shape)
    for place in np.ndindex(img.shape[:2]):
        b, g, r = img[place] / 255
        hue, *rest = colorsys.rgb_to_hls(r, g, b)
        out[place] = colorsys.hls_to_rgb((direction * hue + turn / 360) % 1, *rest)[
            ::-1
        ]
    return 255 * out


@pytest.mark.parametrize('mirror_prob', [0, 1])
def test_every_colour_turns_by_the_angle_of_its_episode(mirror_prob):
    """The angle is read off orange; every other colour has to have turned by it."""
    turns = []
    for seed in range(6):
        turned = hue_of(recolor(flat(*ORANGE), seed, mirror_prob=mirror_prob))
        direction = 1 - 2 * mirror_prob
        turns.append(turned - direction * hue_of(flat(*ORANGE)))
        found = recolor(NOISE, seed, mirror_prob=mirror_prob)
        difference = np.abs(found - recolored(NOISE, turns[-1], direction))
        assert difference.max() < 10 and difference.mean() < 2  # 2 degrees of hue
    assert np.ptp(turns) > 90


def test_support_and_query_of_an_episode_change_alike(coco_tree: CocoTree):
    """From the config, through the data set; the keypoints are those without it."""
    ids = coco_tree.fill(1, num_images=4)
    for image in coco_tree.content['images']:
        picture = np.full((image['height'], image['width'], 3), ORANGE, np.uint8)
        cv2.imwrite(str(coco_tree.image_path(image['id'])), picture)
    plain, dataset = open_tree(coco_tree), open_tree(coco_tree)
    steps, config = eval_pipeline(), dict(type='EpisodeColor', prob=1.0)
    dataset.pipeline = Compose([*steps[:3], TRANSFORMS.build(config), steps[3]])
    hues = []
    for seed in range(8):
        episode = Episode(1, (ids[0], ids[1]), (ids[2], ids[3]), seed=seed)
        item, before = dataset[episode], plain[episode]
        images = torch.cat([item['inputs']['support'], item['inputs']['query']])
        middles = images[:, :, 16, 16].int()
        assert (middles - middles[0]).abs().max() <= 6  # JPEG
        hues.append(hue_of(images[0].permute(1, 2, 0)[16:17, 16:17].numpy()))
        for name in ('support_instances', 'gt_instances'):
            found, expected = (
                one['data_samples'].get(name).keypoints for one in (item, before)
            )
            assert torch.equal(found, expected)
    assert np.ptp(hues) > 90 and len(set(np.rint(hues))) >= 6


@pytest.mark.parametrize(
    ('kind', 'bad', 'message'),
    [
        *((RandomGaussianBlur, dict(sigma=s), '.* pair') for s in ((0, 1), (2, 1))),
        *((EpisodeColor, dict(hue=h), '.* number') for h in (-1, float('nan'), '180')),
        (EpisodeColor, dict(mirror_prob=1.5), '.* number'),
        (EpisodeColor, dict(prob=2), '.* number'),
    ],
)
def test_bad_settings(kind, bad, message):
    with pytest.raises(ConfigError, match=f'^{next(iter(bad))} must be a{message}'):
        kind(**bad)
