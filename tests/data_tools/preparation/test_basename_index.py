"""Listing a source folder, whatever is in it."""

from __future__ import annotations

import pytest
from prepare_sources import write_bytes

from cape_mm.data_tools.preparation.matching import build_basename_index
from cape_mm.errors import MissingDataError


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
