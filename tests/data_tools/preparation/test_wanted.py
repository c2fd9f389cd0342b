"""What the annotation files ask for; names may not lead out of the image folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cape_mm.data_tools.preparation.wanted import list_wanted_images, read_coco_files
from cape_mm.errors import AnnotationFormatError


def write_json(path: Path, file_name: str, **annotation) -> Path:
    content = dict(
        images=[dict(id=1, file_name=file_name, width=40, height=30)],
        annotations=[
            dict(id=2, image_id=1, category_id=51, bbox=[0, 0, 9, 9], **annotation)
        ],
        categories=[dict(id=51, name='suv', keypoints=[], skeleton=[])],
    )
    path.write_text(json.dumps(content))
    return path


def read(*paths: Path):
    return list_wanted_images(read_coco_files(paths))


def test_reads_source_size_and_points(tmp_path):
    points = [10, 20, 2, 30.0, 40, 1, 50, 60, 0, float('nan'), 1, 2]
    path = write_json(tmp_path / 'a.json', 'suv/1500801201.jpg', keypoints=points)
    (image,) = read(path)
    assert image.source == 'CarFusion'
    assert image.size == (40, 30)
    assert image.point_sets == (frozenset({(10, 20), (30, 40)}),)


def test_an_image_of_two_files_is_wanted_once(tmp_path):
    paths = [write_json(tmp_path / f'{n}.json', 'suv/1.jpg') for n in 'ab']
    assert [image.file_name for image in read(*paths)] == ['suv/1.jpg']


@pytest.mark.parametrize(
    'name', ['../x.jpg', 'suv/../../x.jpg', '/etc/x.jpg', 'suv\\..\\x.jpg']
)
def test_names_that_escape_are_refused(name, tmp_path):
    path = write_json(tmp_path / 'a.json', name)
    with pytest.raises(AnnotationFormatError, match='points outside the data root'):
        read(path)


def test_json_of_another_kind_is_left_aside_only_if_it_was_not_named(tmp_path):
    path, other = write_json(tmp_path / 'a.json', 'suv/1.jpg'), tmp_path / 'b.json'
    other.write_text('{"episodes": []}')
    assert list(read_coco_files([other, path], must_all_be_coco=False)) == [path]
    with pytest.raises(AnnotationFormatError, match='not a COCO keypoint file'):
        read_coco_files([other, path])
    with pytest.raises(AnnotationFormatError, match='not a COCO keypoint file'):
        read_coco_files([other], must_all_be_coco=False)
