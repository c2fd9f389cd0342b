"""Empties of every kind are dropped and counted under their own reason."""

import json

import numpy as np
import pytest
from episode_data import OMIT

from cape_mm.datasets.annotation_file import read_annotation_file
from cape_mm.datasets.categories import read_categories
from cape_mm.datasets.instance_filters import select_instances

HIDDEN = [5.0, 5.0, 0] * 4
NAN = float('nan')

EMPTIES = {
    'no visible keypoint': dict(keypoints=HIDDEN, num_keypoints=OMIT),
    'no visible keypoint (all zero)': dict(keypoints=[0] * 12, num_keypoints=OMIT),
    'no bounding box': dict(bbox=OMIT),
    'no bounding box (null)': dict(bbox=None),
    'no bounding box (empty)': dict(bbox=[]),
    'bounding box of zero area': dict(bbox=[10.0, 10.0, 0.0, 20.0]),
    '"area" not above 0, beside a good bounding box': dict(area=0.0),
    'bounding box of zero area (one pixel)': dict(bbox=[10.0, 10.0, 20.0, 1.0]),
    'bounding box of negative size': dict(bbox=[30.0, 30.0, -21.0, -21.0]),
    'no keypoints': dict(keypoints=OMIT),
    'no keypoints (null)': dict(keypoints=None),
    'no keypoints (empty)': dict(keypoints=[]),
    'num_keypoints is 0': dict(num_keypoints=0),
    'crowd': dict(iscrowd=1),
    'wrong number of keypoints': dict(keypoints=[5.0, 5.0, 2] * 3),
    'wrong number of keypoints (no triplets)': dict(keypoints=[5.0] * 13),
    'keypoint not finite': dict(keypoints=[5.0, 5.0, 2] * 3 + [NAN, 5.0, 2]),
    'keypoint not finite (null)': dict(keypoints=[5.0, 5.0, 2] * 3 + [None, 5.0, 2]),
    'keypoint not finite (as float32)': dict(keypoints=[1e39, 5, 2] + [5.0, 5, 2] * 3),
    'malformed bounding box': dict(bbox=[NAN, 10.0, 20.0, 20.0]),
    'malformed bounding box (null)': dict(bbox=[None, 10.0, 20.0, 20.0]),
    'malformed bounding box (three numbers)': dict(bbox=[10.0, 20.0, 20.0]),
    'bounding box outside the image': dict(bbox=[90.0, 10.0, 20.0, 20.0]),
    'bounding box outside the image (no area)': dict(
        bbox=[90.0, 10.0, 20.0, 20.0], area=None
    ),
    'category not listed in the file': dict(category_id=99),
    'image not listed in the file': dict(image_id=99),
}


def select(path):
    coco = read_annotation_file(path)
    categories = read_categories(
        coco.dataset['categories'], coco.dataset['annotations'], str(path)
    )
    return select_instances(coco, categories)


@pytest.fixture
def tree(coco_tree):
    coco_tree.add_category(1)
    for _ in range(3):
        coco_tree.add_annotation(coco_tree.add_image(), 1)
    return coco_tree


@pytest.mark.parametrize('case', EMPTIES)
def test_one_empty_has_one_reason(tree, case):
    fields = {'image_id': 2, 'category_id': 1, **EMPTIES[case]}
    empty_id = tree.add_annotation(**fields)
    instances, report = select(tree.write())
    assert [inst.ann_id for inst in instances] == [100, 101, 102]
    assert empty_id == 103
    assert report.dropped == {case.split(' (')[0]: 1}
    assert (report.num_kept, report.num_total) == (3, 4)


@pytest.mark.parametrize(
    'fields',
    [
        dict(area=OMIT),
        dict(area=None),
        dict(num_keypoints=OMIT),
        dict(iscrowd=OMIT),
        dict(keypoints=HIDDEN[:9] + [0.5, 0.0, 1]),  # a single occluded keypoint
        dict(keypoints=[-9.0, 500.0, 2] * 4),  # outside box and image
        dict(bbox=[-10.0, -10.0, 500.0, 500.0]),
    ],
)
def test_unusual_but_usable(tree, fields):
    ann_id = tree.add_annotation(1, 1, **fields)
    instances, report = select(tree.write())
    assert ann_id in [inst.ann_id for inst in instances]
    assert not report.dropped


def test_visibility_comes_from_v_not_from_the_coordinates(tree):
    keypoints = [0.0, 0.0, 2, 7.0, 8.0, 0, 3.0, 4.0, 1, 0.0, 0.0, 0]
    ann_id = tree.add_annotation(1, 1, keypoints=keypoints)
    (found,) = [i for i in select(tree.write())[0] if i.ann_id == ann_id]
    assert found.is_visible.tolist() == [True, False, True, False]
    np.testing.assert_array_equal(found.keypoints, [[0, 0], [7, 8], [3, 4], [0, 0]])
    assert found.keypoints.dtype == np.float32


def test_order_is_image_list_then_annotation_list(coco_tree):
    coco_tree.add_category(1)
    for _ in range(3):
        coco_tree.add_image()
    for image_id in (3, 1, 2, 1, 3):
        coco_tree.add_annotation(image_id, 1)
    coco_tree.content['images'].reverse()  # file order: 3, 2, 1
    instances, _ = select(coco_tree.write())
    assert [inst.img_id for inst in instances] == [3, 3, 2, 1, 1]
    assert [inst.ann_id for inst in instances] == [100, 104, 102, 101, 103]


def test_real_files(mp100_annotations):
    num_negative = 0
    for path in sorted(mp100_annotations.glob('mp100_split*.json')):
        instances, report = select(path)
        raws = json.loads(path.read_text())['annotations']
        negative = sum(raw['bbox'][2] < 0 or raw['bbox'][3] < 0 for raw in raws)
        assert report.dropped['bounding box of negative size'] == negative
        assert report.num_total == len(raws)
        assert len(instances) + sum(report.dropped.values()) == len(raws)
        assert len({inst.ann_id for inst in instances}) == len(instances)
        num_negative += negative
    assert num_negative
