"""Files, folders, patterns and lists."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from predict_cases import make_picture, write_pictures, write_video

from cape_mm.errors import ConfigError, ImageDecodeError, MissingDataError
from cape_mm.inference.sources import find_sources, read_frames

NAMES = ['b.png', 'a one.JPG', 'sub/ünï.bmp', 'sub/deep/c.png']


@pytest.fixture
def folder(tmp_path) -> Path:
    """Pictures, and other files between them."""
    write_pictures(tmp_path, NAMES)
    for other in ('notes.txt', '.hidden.png', '.git/x.png', 'labels.json'):
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).write_bytes(b'x')
    return tmp_path


def names(inputs, **options) -> list[str]:
    return [source.name for source in find_sources(inputs, **options)]


def test_folders_in_the_order_of_names_without_hidden_files(folder):
    expected = [str(folder / n) for n in sorted(NAMES)]
    assert names(folder) == names(str(folder)) == expected
    assert names(folder, exclude=folder / 'sub') == [
        str(folder / 'a one.JPG'),
        str(folder / 'b.png'),
    ]


def test_links_are_followed_once(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    write_pictures(elsewhere, ['far.png'])
    os.symlink(elsewhere, folder / 'link')
    os.symlink(folder, elsewhere / 'back')
    os.symlink('..', folder / 'sub/up')
    assert names(folder) == [str(folder / n) for n in sorted([*NAMES, 'link/far.png'])]


def test_pictures_that_nobody_decodes_are_not_overlooked(folder):
    (folder / 'phone.HEIC').write_bytes(b'x')
    assert str(folder / 'phone.HEIC') in names(folder)
    (folder / 'phones').mkdir()
    (folder / 'phones/one.heic').write_bytes(b'x')
    with pytest.raises(MissingDataError, match='holds no picture'):
        find_sources(folder / 'phones')


def test_patterns_and_lists(folder):
    assert names(f'{folder}/*.png') == [str(folder / 'b.png')]
    assert len(names(f'{folder}/**/*.png')) == 2
    given = [folder / 'b.png', make_picture(0), str(folder / 'sub')]
    assert names(given) == [
        str(folder / 'b.png'),
        'image 1',
        str(folder / 'sub/deep/c.png'),
        str(folder / 'sub/ünï.bmp'),
    ]


def test_a_name_with_brackets_is_a_name_first(folder):
    (path,) = write_pictures(folder, ['x[1].png'])
    assert names(path) == [str(path)]


def test_folders_that_can_not_be_opened_are_not_overlooked(folder, monkeypatch):
    closed, scandir = str(folder / 'sub'), os.scandir

    def refuse(path):
        if path == closed:
            raise PermissionError(13, 'Permission denied', path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    assert names(folder) == [str(folder / n) for n in ('a one.JPG', 'b.png', 'sub')]
    with pytest.raises(ImageDecodeError, match='folder that can not be opened'):
        list(read_frames(find_sources(folder)[-1]))
    with pytest.raises(
        MissingDataError, match='sub can not be read: Permission denied'
    ):
        find_sources(closed)


def test_names_that_are_no_text_can_be_printed(folder):
    raw = os.fsencode(folder) + b'/\xff\xfe.png'
    os.rename(folder / 'b.png', raw)
    found = find_sources(folder)
    (source,) = (s for s in found if 'fe' in s.name and s.name.endswith('.png'))
    source.name.encode('utf-8')
    (frame,) = read_frames(source)
    assert frame.image.shape == (60, 64, 3)


def test_nothing_found(tmp_path):
    with pytest.raises(MissingDataError, match=r'holds no picture and no video.*\.png'):
        find_sources(tmp_path)
    with pytest.raises(MissingDataError, match='no such file'):
        find_sources(tmp_path / 'x.png')
    with pytest.raises(MissingDataError, match='no file fits'):
        find_sources(f'{tmp_path}/*.png')
    with pytest.raises(ConfigError, match='NoneType'):
        find_sources(None)


def test_videos_are_told_by_their_name(tmp_path):
    clip = write_video(tmp_path / 'clip one.mp4', 5)
    (source,) = find_sources(tmp_path)
    assert source.is_video
    assert [f.number for f in read_frames(source, 2)] == [0, 2, 4]
    clip.write_bytes(b'no video')
    with pytest.raises(ImageDecodeError, match='can not be decoded as a video'):
        list(read_frames(source))
    empty = tmp_path / 'empty.avi'
    empty.write_bytes(b'')
    (other,) = find_sources(empty)
    with pytest.raises(ImageDecodeError, match='video'):
        list(read_frames(other))
