"""Files as the other tools write them, and what the other tools read of ours."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from label_cases import NAMES, SKELETON, make_labels
from pycocotools.coco import COCO

from cape_mm.datasets.annotation_file import read_annotation_file
from cape_mm.datasets.categories import read_categories
from cape_mm.datasets.instance_filters import select_instances
from cape_mm.errors import AnnotationFormatError, ConfigError
from cape_mm.formats import (
    LabelledPicture,
    LabelSet,
    read_labels,
    write_labels,
)
from cape_mm.formats.coco import read_coco

DLC_THREE_CELLS = """scorer,,,me,me,me,me
bodyparts,,,snout,snout,tail,tail
coords,,,x,y,x,y
labeled-data,mouse 1,img001.png,10.5,20,30,40
labeled-data,mouse 1,img002.png,1,2,,
"""
DLC_MULTI = """scorer,me,me,me,me
individuals,m1,m1,m2,m2
bodyparts,snout,snout,snout,snout
coords,x,y,x,y
labeled-data/v/img1.png,1,2,3,4
labeled-data/v/img2.png,,,5,6
"""
DLC_VIDEO = """scorer,DLC_x,DLC_x,DLC_x
bodyparts,snout,snout,snout
coords,x,y,likelihood
0,1.5,2.5,0.9
1,1.6,2.6,0.1
"""
LABELME = dict(
    version='5.2.1',
    flags={},
    shapes=[
        dict(label='tip', points=[[3, 4]], group_id=None, shape_type='point', flags={}),
        dict(label='box', points=[[9, 8], [1, 2]], shape_type='rectangle', flags={}),
        dict(label='base', points=[[5.5, 6]], shape_type='point', flags=None),
        dict(label='rim', points=[[0, 0], [1, 1], [2, 0]], shape_type='polygon'),
    ],
    imagePath='..\\pics\\a.png',
    imageData=None,
    imageHeight=20,
    imageWidth=10,
)
STUDIO_SIZE = dict(original_width=200, original_height=100, image_rotation=0)
LABEL_STUDIO = [
    dict(
        id=7,
        data=dict(image='/data/upload/3/0a1b2c3d-my%20frame.png'),
        annotations=[
            dict(
                result=[
                    dict(
                        id='k1',
                        type='keypointlabels',
                        value=dict(x=50, y=10, width=0.4, keypointlabels=['tip']),
                        **STUDIO_SIZE,
                    ),
                    dict(id='c', type='choices', value=dict(choices=['good'])),
                ]
            )
        ],
        predictions=[],
    ),
    dict(data=dict(image='s3://bucket/x/y.png'), annotations=[]),
]


def write(path: Path, content: object) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')
    return path


def test_deeplabcut_with_paths_in_three_cells(tmp_path):
    labels = read_labels(write(tmp_path / 'CollectedData_me.csv', DLC_THREE_CELLS))
    assert labels.keypoint_names == ('snout', 'tail')
    first, second = labels.pictures
    assert first.file_name == 'labeled-data/mouse 1/img001.png'
    assert first.instances[0].keypoints.tolist() == [[10.5, 20], [30, 40]]
    assert second.instances[0].visibility.tolist() == [2, 0]


def test_deeplabcut_of_several_animals(tmp_path):
    labels = read_labels(write(tmp_path / 'x.csv', DLC_MULTI))
    assert [len(picture.instances) for picture in labels.pictures] == [2, 1]
    assert labels.pictures[1].instances[0].keypoints.tolist() == [[5, 6]]


def test_deeplabcut_rows_have_a_cell_for_every_animal(tmp_path):
    (path,) = write_labels(make_labels(True), tmp_path, 'deeplabcut')
    rows = list(csv.reader(io.StringIO(path.read_text(encoding='utf-8'))))
    assert {len(row) for row in rows} == {1 + 2 * 4 * 3}
    assert rows[1][0] == 'individuals'


def test_deeplabcut_of_a_video(tmp_path):
    path = write(tmp_path / 'clip 1DLC_resnet50_x.csv', DLC_VIDEO)
    labels = read_labels(path)
    assert [(p.file_name, p.frame) for p in labels.pictures] == [
        ('clip 1', 0),
        ('clip 1', 1),
    ]
    assert labels.pictures[1].instances[0].confidence.tolist() == [0.1]


def test_labelme_without_groups(tmp_path):
    labels = read_labels(write(tmp_path / 'labels/a.json', LABELME))
    assert (labels.category, labels.keypoint_names) == ('box', ('tip', 'base'))
    (picture,) = labels.pictures
    assert (picture.file_name, picture.size) == ('../pics/a.png', (10, 20))
    assert picture.is_outside
    (instance,) = picture.instances
    assert instance.keypoints.tolist() == [[3, 4], [5.5, 6]]
    assert instance.bbox.tolist() == [1, 2, 8, 6]


def test_labelme_files_of_pictures_that_differ_in_their_suffix(tmp_path):
    pictures = [LabelledPicture(name, (9, 8), ()) for name in ('a.png', 'a.jpg', 'b.c')]
    labels = LabelSet('x', ('tip',), (), pictures)
    files = write_labels(labels, tmp_path, 'labelme')
    assert [path.name for path in files] == ['a.json', 'a.jpg.json', 'b.json']


def test_label_studio_export(tmp_path):
    labels = read_labels(write(tmp_path / 'export.json', LABEL_STUDIO))
    (picture,) = labels.pictures
    assert (picture.file_name, picture.size) == ('my frame.png', (200, 100))
    assert picture.instances[0].keypoints.tolist() == [[100, 10]]


def test_cvat_skeletons_count_from_one_whatever_they_leave_out(tmp_path):
    write_labels(make_labels(False), tmp_path, 'cvat')
    labels = read_labels(tmp_path / 'cvat')
    assert labels.skeleton == SKELETON
    path = tmp_path / 'cvat/annotations/person_keypoints_default.json'
    assert json.loads(path.read_text())['categories'][0]['skeleton'] == [[1, 2], [2, 3]]
    content = json.loads(path.read_text())
    content['categories'][0]['skeleton'] = [[0, 1]]
    write(path, content)
    with pytest.raises(AnnotationFormatError, match='no index 0: read it as coco'):
        read_labels(path)


def test_several_cvat_subsets_have_to_be_named(tmp_path):
    for subset in ('train', 'val'):
        write(tmp_path / f'annotations/person_keypoints_{subset}.json', {})
    with pytest.raises(AnnotationFormatError, match='holds several'):
        read_labels(tmp_path)


def test_coco_is_read_by_pycocotools_and_by_training(tmp_path):
    (path,) = write_labels(make_labels(True), tmp_path, 'coco')
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
        results = coco.loadRes(coco.dataset['annotations'])
    assert len(results.anns) == 3 and len(coco.imgs) == 3
    coco = read_annotation_file(path)
    anns = coco.dataset['annotations']
    categories = read_categories(coco.dataset['categories'], anns, 'x')
    assert categories[1].skeleton == SKELETON
    assert categories[1].keypoint_names == NAMES
    instances, _ = select_instances(coco, categories)
    assert len(instances) == 3
    first = make_labels(True).pictures[0].instances[0]
    np.testing.assert_allclose(instances[0].keypoints, first.keypoints, atol=1e-3)


def test_coco_categories_have_to_be_named(tmp_path):
    (path,) = write_labels(make_labels(False), tmp_path, 'coco')
    content = json.loads(path.read_text())
    content['categories'].append(dict(id=2, name='rat', keypoints=['a'], skeleton=[]))
    content['annotations'].append(
        dict(id=9, image_id=1, category_id=2, keypoints=[1, 2, 2], bbox=[0, 0, 5, 5])
    )
    write(path, content)
    with pytest.raises(ConfigError, match="several .*: 1 'field mouse', 2 'rat'"):
        read_coco(path)
    assert len(read_coco(path, 'rat').pictures) == 1
    assert read_coco(path, '2').keypoint_names == ('a',)
    with pytest.raises(ConfigError, match="no category 'cat'"):
        read_coco(path, 'cat')
    content['annotations'] = []
    with pytest.raises(ConfigError, match='no annotation has keypoints'):
        read_coco(write(path, content))


def test_sleap_io_reads_the_export(tmp_path):
    sleap_io = pytest.importorskip('sleap_io', reason='sleap-io is not installed')
    import cv2

    labels = make_labels(True)
    (path,) = write_labels(labels, tmp_path, 'sleap')
    for picture in labels.pictures:
        target = tmp_path / picture.file_name
        target.parent.mkdir(exist_ok=True)
        image = np.zeros((480, 640, 3), np.uint8)
        target.write_bytes(cv2.imencode(target.suffix, image)[1].tobytes())
    found = sleap_io.load_coco(str(path), dataset_root=str(tmp_path))
    assert found.skeletons[0].node_names == list(NAMES)
    assert found.skeletons[0].edge_inds == [tuple(edge) for edge in SKELETON]
    points = found[0].instances[0].numpy()
    expected = labels.pictures[0].instances[0].keypoints
    np.testing.assert_allclose(points, expected, atol=1e-3)
