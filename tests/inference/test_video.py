"""Videos: frames, told lengths, writing, and memory that does not grow."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from predict_cases import make_picture, write_video

from cape_mm.errors import ConfigError, ImageDecodeError, ImageNotFoundError
from cape_mm.inference.video import VideoReader, video_writer

STATM = Path('/proc/self/statm')


def resident_mib() -> float:
    return int(STATM.read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(not STATM.exists(), reason='reads the memory that Linux tells')
def test_memory_does_not_grow_with_a_video(inferencer, tmp_path):
    clip = write_video(tmp_path / 'clip.mp4', 240, (640, 480))  # 211 MiB of pixels
    measured = [
        resident_mib()
        for result in inferencer.iterate(clip, every=2, batch_size=8)
        if result.frame % 40 == 0
    ]
    assert len(measured) == 6
    assert measured[-1] - measured[1] < 25


def test_every_frame_is_given_with_its_number(tmp_path):
    clip = write_video(tmp_path / 'clip.mp4', 9)
    with VideoReader(clip) as reader:
        assert (reader.fps, reader.num_told) == (10, 9)
        frames = list(reader.frames(every=4))
        assert reader.num_read == 9
    assert [number for number, _ in frames] == [0, 4, 8]
    for (_, image), expected in zip((frames[0], frames[-1]), (100, 101)):
        expected = make_picture(expected).astype(int)
        assert np.abs(image - expected).mean() < 12


def test_a_video_is_complete_or_not_there(tmp_path):
    path = tmp_path / 'new clip.mp4'
    with pytest.raises(KeyError), video_writer(path, 10, (64, 60)) as writer:
        writer.write(make_picture(0))
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with video_writer(path, 10, (64, 60)) as writer:
        writer.write(make_picture(0))
    assert list(tmp_path.iterdir()) == [path]
    with VideoReader(path) as reader:
        assert len(list(reader.frames())) == 1
    (tmp_path / 'file').touch()
    bad = pytest.raises(ConfigError, match='can not be written')
    with bad, video_writer(tmp_path / 'file/x.mp4', 10, (64, 60)):
        pass


def test_what_is_no_video(tmp_path):
    with pytest.raises(ImageNotFoundError, match='no such file'):
        VideoReader(tmp_path / 'none.mp4')
    path = tmp_path / 'x.mp4'
    path.write_bytes(b'nothing of a video')
    with pytest.raises(ImageDecodeError, match='ffmpeg'):
        VideoReader(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / 'pipe.mp4')
    with pytest.raises(ImageDecodeError, match='is no file but a pipe'):
        VideoReader(tmp_path / 'pipe.mp4')


@pytest.mark.skipif(sys.platform != 'linux', reason='names are UTF-8 elsewhere')
def test_names_that_are_not_utf_8_are_refused(tmp_path):
    """As old disks have them; OpenCV does not survive them."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b'/cam\xe9ra.mp4'))
    shutil.copy(write_video(tmp_path / 'clip.mp4', 2), path)
    with pytest.raises(ImageDecodeError, match='not UTF-8.*rename it'):
        VideoReader(path)
    with pytest.raises(ConfigError, match='not UTF-8'), video_writer(path, 1, (64, 60)):
        pass
