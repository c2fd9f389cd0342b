"""Colours of an episode: turned alike within it, otherwise in the next."""

import colorsys

import cv2
import numpy as np
import pytest
import torch
from episode_data import CocoTree, eval_pipeline, open_tree
from mmcv.transforms import Compose
from mmpose.registry import TRANSFORMS

from cape_mm.datasets.transforms import EpisodeColor
from cape_mm.datasets.transforms.photometric import recolor
from cape_mm.errors import ConfigError
from cape_mm.structures import Episode

NOISE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
ORANGE = (20, 110, 220)
"""BGR, of hue 27 degrees."""


def run(img, seed=0, **kwargs):
    results = dict(img=img, episode_seed=seed)
    return EpisodeColor(**dict(prob=1) | kwargs)(results)['img']


def flat(*bgr):
    return np.full((4, 4, 3), bgr, np.uint8)


def hue_of(img):
    """Hue of the first pixel in degrees, by another implementation."""
    b, g, r = img[0, 0] / 255
    return 360 * colorsys.rgb_to_hls(r, g, b)[0]


def recolored(img, turn, is_mirrored, is_inverted):
    """Oracle: the same change pixel by pixel, in floats."""
    out = np.empty(img.shape)
    for place in np.ndindex(img.shape[:2]):
        b, g, r = img[place] / 255
        hue, lightness, saturation = colorsys.rgb_to_hls(r, g, b)
        hue = ((-hue if is_mirrored else hue) + turn / 360) % 1
        lightness = 1 - lightness if is_inverted else lightness
        out[place] = colorsys.hls_to_rgb(hue, lightness, saturation)[::-1]
    return 255 * out


def distance(first, second):
    """Of two hues, degrees."""
    return abs((first - second + 180) % 360 - 180)


@pytest.mark.parametrize('turn', [0, 77, -130, 180])
@pytest.mark.parametrize('is_mirrored', [False, True])
@pytest.mark.parametrize('is_inverted', [False, True])
def test_every_colour_against_another_implementation(turn, is_mirrored, is_inverted):
    change = (turn, is_mirrored, is_inverted)
    difference = np.abs(recolor(NOISE, *change) - recolored(NOISE, *change))
    assert difference.max() < 10 and difference.mean() < 1.5  # 2 degrees of hue


def test_colours_by_hand():
    """Red by 120 degrees is green; blue is its own mirror image's green."""
    red, green, blue = flat(0, 0, 255), flat(0, 255, 0), flat(255, 0, 0)
    np.testing.assert_array_equal(recolor(red, 120, False, False), green)
    np.testing.assert_array_equal(recolor(red, -120, False, False), blue)
    np.testing.assert_array_equal(recolor(blue, 0, True, False), green)
    np.testing.assert_array_equal(recolor(blue, 120, True, False), blue)
    np.testing.assert_array_equal(recolor(blue, 0, False, True), blue)
    dark, light = flat(100, 0, 0), flat(255, 155, 155)
    np.testing.assert_allclose(recolor(dark, 0, False, True), light, atol=1)


def test_mirror_and_inversion_happen_as_often_as_told():
    mirrored = [
        distance(hue_of(run(flat(*ORANGE), s, hue=0, mirror_prob=0.3)), -27) < 4
        for s in range(200)
    ]
    assert 40 < sum(mirrored) < 80
    inverted = [run(flat(9, 9, 9), s, invert_prob=0.3).max() > 99 for s in range(200)]
    assert 40 < sum(inverted) < 80
    assert (np.array(mirrored) != inverted).sum() > 40  # not drawn by one number


@pytest.mark.parametrize('invert_prob', [0, 1])
def test_grey_stays_grey(invert_prob):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    expected = 255 - grey if invert_prob else grey
    for seed in range(20):
        out = run(grey, seed, invert_prob=invert_prob)
        np.testing.assert_array_equal(out, expected)


def test_the_episode_alone_decides():
    first, again, other = (run(NOISE, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    results = dict(img=NOISE, episode_seed=3, rng=np.random.default_rng(5))
    np.testing.assert_array_equal(EpisodeColor(prob=1)(results)['img'], first)
    assert results['rng'].random() == np.random.default_rng(5).random()


def paint(tree: CocoTree) -> None:
    """All images of a tree in one colour."""
    for image in tree.content['images']:
        size = image['height'], image['width']
        picture = np.full((*size, 3), ORANGE, np.uint8)
        cv2.imwrite(str(tree.image_path(image['id'])), picture)


def test_support_and_query_of_an_episode_change_alike(coco_tree):
    """From the config, through the data set; the keypoints are those without it."""
    ids = coco_tree.fill(1, num_images=4)
    paint(coco_tree)
    config = dict(type='EpisodeColor', prob=1.0, hue=180.0, invert_prob=0.2)
    plain, dataset = open_tree(coco_tree), open_tree(coco_tree)
    steps = eval_pipeline()
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
            found, expected = (item['data_samples'], before['data_samples'])
            assert torch.equal(
                getattr(found, name).keypoints, getattr(expected, name).keypoints
            )
    assert np.ptp(hues) > 90 and len(set(np.rint(hues))) >= 6


@pytest.mark.parametrize(
    'bad',
    [
        dict(hue=-1),
        dict(hue=float('nan')),
        dict(hue='180'),
        dict(mirror_prob=1.5),
        dict(invert_prob=-0.1),
        dict(prob=2),
        dict(prob=None),
    ],
)
def test_bad_settings(bad):
    with pytest.raises(ConfigError, match=f'^{next(iter(bad))} must be a number'):
        EpisodeColor(**bad)
