"""One OpenCV thread inside, as many as before outside."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from predict_cases import KEYPOINTS, make_picture, write_checkpoint

from cape_mm.inference import CapeInferencer
from cape_mm.utils.devices import one_opencv_thread


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
