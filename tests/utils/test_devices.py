"""Devices by name; one OpenCV thread inside, as many as before outside."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
import torch
from predict_cases import KEYPOINTS, make_picture, write_checkpoint

from cape_mm.errors import ConfigError
from cape_mm.inference import CapeInferencer
from cape_mm.utils.devices import check_device, one_opencv_thread


@pytest.fixture
def two_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield
    cv2.setNumThreads(before)


def test_the_number_is_restored(two_threads):
    with pytest.raises(KeyError), one_opencv_thread():
        assert cv2.getNumThreads() == 1
        raise KeyError
    assert cv2.getNumThreads() == 2


def test_the_last_of_two_threads_restores_it(two_threads):
    is_inside, may_leave = threading.Event(), threading.Event()

    def stay():
        with one_opencv_thread():
            is_inside.set()
            may_leave.wait(10)

    other = threading.Thread(target=stay)
    with one_opencv_thread():
        other.start()
        assert is_inside.wait(10)
    assert cv2.getNumThreads() == 1
    may_leave.set()
    other.join()
    assert cv2.getNumThreads() == 2


def test_pictures_are_cropped_by_one_thread(two_threads, tmp_path, monkeypatch):
    checkpoint = write_checkpoint(tmp_path / 'one.pth')
    cape = CapeInferencer(checkpoint=checkpoint, device='cpu')
    seen = []
    warp = cv2.warpAffine

    def watch(*args, **kwargs):
        seen.append(cv2.getNumThreads())
        return warp(*args, **kwargs)

    monkeypatch.setattr(cv2, 'warpAffine', watch)
    picture = make_picture(0, (64, 60))
    cape.set_support(picture, np.array(KEYPOINTS))
    cape([picture])
    assert set(seen) == {1}
    assert cv2.getNumThreads() == 2


@pytest.mark.parametrize(
    ('name', 'has_metal', 'said'),
    [
        ('cpu', False, None),
        ('mps', True, None),
        ('mps', False, 'device mps is not available: PyTorch .* sees 0 of that kind'),
        ('cuda:9999', False, 'device cuda:9999 is not available'),
        ('cpu:1', False, "device must be cpu, cuda, cuda:<n> or mps, got 'cpu:1'"),
        ('tpu', False, "got 'tpu'"),
    ],
)
def test_devices_by_name(monkeypatch, name, has_metal, said):
    monkeypatch.setattr(torch.backends.mps, 'is_available', lambda: has_metal)
    if said is None:
        assert check_device(name) == torch.device(name)
        return
    with pytest.raises(ConfigError, match=said):
        check_device(name)
