"""Every source in its published layout, and the names that could mislead."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from prepare_sources import NAMES, make_source_tree, write_bytes

from cape_mm.data_tools.mp100_sources import SOURCES, source_of_image
from cape_mm.data_tools.preparation.matching import (
    Match,
    build_basename_index,
    match_image,
    possible_names,
)
from cape_mm.data_tools.preparation.wanted import WantedImage
from cape_mm.errors import MissingDataError

every_source = pytest.mark.parametrize('source', SOURCES)


def find(file_name: str, root: Path, size: tuple[int, int] = (40, 30)) -> Match:
    """Look for one image of MP-100 in a source folder."""
    wanted = WantedImage(file_name, source_of_image(file_name), size)
    return match_image(wanted, build_basename_index(root, possible_names(wanted)))


def write_picture(path: Path, width: int, height: int, level: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), level, np.uint8))
    return path


@every_source
def test_published_place_is_found(source, tmp_path):
    make_source_tree(tmp_path, NAMES.values())
    match = find(NAMES[source], tmp_path)  # all sources below one folder
    assert match.path is not None, match
    assert Path(match.path).read_text() == NAMES[source]


@every_source
def test_absent_image_is_missing(source, tmp_path):
    write_bytes(tmp_path / 'x/readme.txt', 'x')
    match = find(NAMES[source], tmp_path)
    assert match.path is None and not match.candidates and match.reason


@pytest.mark.parametrize('place', ['val2017/{}', 'train2014/COCO_train2014_{}'])
def test_coco_of_other_releases(place, tmp_path):
    path = write_bytes(tmp_path / place.format('000000010069.jpg'), 'x')
    assert find(NAMES['COCO'], tmp_path).path == str(path)


@pytest.mark.parametrize('split', ['test/test', 'validation', 'val'])
def test_other_splits_of_deepfashion2_have_other_pictures(split, tmp_path):
    write_bytes(tmp_path / split / 'image/001092.jpg', 'x')
    assert find(NAMES['DeepFashion2'], tmp_path).path is None


def test_category_folder_decides_in_keypoint5(tmp_path):
    """00000019.jpg is a chair, a sofa and a swivel chair."""
    make_source_tree(tmp_path, ['chair/00000019.jpg'])
    assert find('sofa/00000019.jpg', tmp_path).path is None
    make_source_tree(tmp_path, ['swivelchair/00000019.jpg'])
    assert not find('sofa/00000019.jpg', tmp_path).is_ambiguous
    found = find('chair/00000019.jpg', tmp_path).path
    assert Path(found).read_text() == 'chair/00000019.jpg'


def test_fly_is_no_locust(tmp_path):
    make_source_tree(tmp_path, [NAMES['Desert Locust']])
    assert find(NAMES['Vinegar Fly'], tmp_path).path is None
    assert find(NAMES['Desert Locust'], tmp_path).path


def test_size_turned_by_exif_is_no_contradiction(tmp_path):
    write_picture(tmp_path / 'mine/quokka_13.jpg', 30, 40)
    assert find(NAMES['AnimalWeb'], tmp_path).path


def test_file_elsewhere_of_another_size_is_another_picture(tmp_path):
    write_picture(tmp_path / 'mine/quokka_13.jpg', 41, 30)
    assert find(NAMES['AnimalWeb'], tmp_path).path is None


def test_other_case_of_the_name(tmp_path):
    path = write_picture(tmp_path / 'mine/Quokka_13.JPG', 40, 30)
    assert find(NAMES['AnimalWeb'], tmp_path).path == str(path)


def test_identical_files_are_no_ambiguity(tmp_path):
    for folder in ('a', 'b'):
        write_bytes(tmp_path / folder / 'data/000000051890.jpg', 'same')
    assert find(NAMES['AP-10K'], tmp_path).path == str(
        tmp_path / 'a/data/000000051890.jpg'
    )


def test_different_files_are_refused_and_listed(tmp_path):
    paths = [
        write_bytes(tmp_path / folder / 'data/000000051890.jpg', folder)
        for folder in ('a', 'b')
    ]
    match = find(NAMES['AP-10K'], tmp_path)
    assert match.is_ambiguous and match.path is None
    assert match.candidates == tuple(map(str, paths))


def test_size_tells_different_files_apart(tmp_path):
    write_picture(tmp_path / 'a/data/000000051890.jpg', 41, 30)
    right = write_picture(tmp_path / 'b/data/000000051890.jpg', 40, 30)
    assert find(NAMES['AP-10K'], tmp_path).path == str(right)
    write_picture(tmp_path / 'c/data/000000051890.jpg', 40, 30, level=200)
    assert find(NAMES['AP-10K'], tmp_path).is_ambiguous


def test_finds_by_name_at_any_depth(tmp_path):
    paths = [write_bytes(tmp_path / folder / 'a.jpg', 'x') for folder in ('2/3/4', '1')]
    write_bytes(tmp_path / '1/b.jpg', 'x')
    index = build_basename_index(tmp_path, ['a.jpg', 'c.jpg'])
    assert index.find('a.jpg') == sorted(map(str, paths))
    assert index.find('b.jpg') == index.find('c.jpg') == []  # not asked for, not there


def test_exact_case_comes_first(tmp_path):
    lower = write_bytes(tmp_path / '2/a.jpg', 'x')
    upper = write_bytes(tmp_path / '1/A.JPG', 'x')
    index = build_basename_index(tmp_path, ['a.jpg'])
    assert index.find('a.jpg') == [str(lower)]
    assert index.find('a.Jpg') == [str(upper), str(lower)]


def test_linked_folder_is_followed_once_and_a_loop_ends(tmp_path):
    outside = write_bytes(tmp_path / 'disk/a.jpg', 'x').parent
    source = tmp_path / 'source'
    source.mkdir()
    for link, target in [('x', outside), ('y', outside), ('up', source)]:
        (source / link).symlink_to(target)
    (source / 'self').symlink_to(source / 'self')
    (source / 'b.jpg').symlink_to(source / 'b.jpg')
    (source / 'c.jpg').symlink_to(source / 'nothing')
    index = build_basename_index(source, ['a.jpg', 'b.jpg', 'c.jpg'])
    assert index.find('a.jpg') == [str(source / 'x/a.jpg')]
    assert index.find('b.jpg') == index.find('c.jpg') == []


@pytest.mark.parametrize('kind', ['nothing', 'file', 'loop'])
def test_source_must_be_a_folder(kind, tmp_path):
    root = tmp_path / 'source'
    if kind == 'file':
        root.write_text('x')
    elif kind == 'loop':
        root.symlink_to(root)
    with pytest.raises(MissingDataError, match=f'source folder not found: {root}'):
        build_basename_index(root, ['a.jpg'])


def test_archives_are_noted(tmp_path):
    path = write_bytes(tmp_path / 'x/train.ZIP', 'x')
    assert build_basename_index(tmp_path, []).packed == [str(path)]
