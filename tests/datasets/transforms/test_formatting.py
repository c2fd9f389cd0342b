"""Packing: masks say what is visible; order and number never change."""

import numpy as np
import pytest
import torch

from cape_mm.datasets.transforms import PackInstance
from cape_mm.errors import EmptyAnnotationError, InstanceLoadError

# inside, on the last pixel, beyond it, left of the crop, hidden, hidden and outside
KEYPOINTS = np.array(
    [[5, 6], [31, 23], [31.5, 3], [-0.1, 3], [7, 7], [99, 99]], dtype=np.float32
)
IS_VISIBLE = np.array([True, True, True, True, False, False])


def results(**overrides):
    img = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    defaults = dict(
        img=img,
        keypoints=KEYPOINTS.copy(),
        keypoints_orig=KEYPOINTS + 100,
        is_visible=IS_VISIBLE.copy(),
        bbox=np.array([1.0, 2.0, 3.0, 4.0]),
        ann_id=8,
        img_id=2**53 + 1,
        img_path='cat/a.jpg',
        crop_to_image=np.eye(2, 3),
        input_size=(32, 24),
    )
    return {**defaults, **overrides}


def test_outside_the_crop_is_invisible_in_training():
    packed = PackInstance(hide_outside=True)(results())
    assert packed['is_visible'].tolist() == [True, True, False, False, False, False]
    assert packed['is_visible_orig'].tolist() == IS_VISIBLE.tolist()


def test_outside_the_crop_stays_visible_in_evaluation():
    packed = PackInstance(hide_outside=False)(results())
    assert packed['is_visible'].tolist() == IS_VISIBLE.tolist()


def test_image_is_channels_first_and_still_bgr():
    given = results()
    image = PackInstance(hide_outside=True)(given)['image']
    assert image.dtype == torch.uint8 and image.is_contiguous()
    for channel in range(3):
        np.testing.assert_array_equal(image[channel], given['img'][..., channel])


def test_all_outside_is_an_error_of_its_own_in_training_only():
    far = results(keypoints=KEYPOINTS + 500)
    message = 'annotation 8 has no visible keypoint in its crop: cat/a.jpg'
    with pytest.raises(EmptyAnnotationError, match=message) as info:
        PackInstance(hide_outside=True)(far)
    assert isinstance(info.value, InstanceLoadError)
    assert PackInstance(hide_outside=False)(far)['is_visible'].sum() == 4
