"""Annotations: dropped ids by reason, and what is odd, each counted by hand."""

import pytest

from cape_mm.data_tools.checking.annotations import (
    crowded_image_findings,
    drop_findings,
    duplicate_id_findings,
    geometry_findings,
)
from cape_mm.data_tools.checking.findings import GAP, NOTE
from cape_mm.datasets.annotation_file import read_annotation_file
from cape_mm.datasets.categories import read_categories
from cape_mm.datasets.instance_filters import select_instances

NAN = float('nan')
INSIDE = [15.0, 15.0, 2] * 3


@pytest.fixture
def tree(coco_tree):
    """Category 1 of 4 keypoints; two images of 48 x 40; a sound annotation, id 100."""
    coco_tree.add_category(1)
    coco_tree.add_image()
    coco_tree.add_image()
    coco_tree.add_annotation(1, 1)
    return coco_tree


def read(path):
    coco = read_annotation_file(path)
    lists = coco.dataset
    return coco, read_categories(lists['categories'], lists['annotations'], 'f')


def drops_of(path):
    _, report = select_instances(*read(path))
    assert {why: len(ids) for why, ids in report.dropped_ids.items()} == report.dropped
    return report.dropped_ids


def odd(tree):
    findings = geometry_findings(*read(tree.write()))
    assert {finding.severity for finding in findings} <= {NOTE}
    return {finding.kind: finding.items for finding in findings}


def test_ids_by_reason(tree):
    empty = tree.add_annotation(1, 1, keypoints=[0.0] * 12)
    short = tree.add_annotation(1, 1, keypoints=[5.0] * 13)
    nan = tree.add_annotation(2, 1, keypoints=[5.0, 5.0, 2] * 3 + [NAN, 5.0, 2])
    negative = tree.add_annotation(2, 1, bbox=[30.0, 30.0, -21.0, -21.0])
    stray = tree.add_annotation(1, 99)
    lost = tree.add_annotation(9, 1)
    dropped = drops_of(tree.write())
    assert dropped == {
        'no visible keypoint': [empty],
        'wrong number of keypoints': [short],
        'keypoint not finite': [nan],
        'bounding box of negative size': [negative],
        'category not listed in the file': [stray],
        'image not listed in the file': [lost],
    }
    severities = {f.kind: f.severity for f in drop_findings(dropped)}
    assert severities == {
        'dropped: no visible keypoint': NOTE,
        'dropped: wrong number of keypoints': GAP,
        'dropped: keypoint not finite': GAP,
        'dropped: bounding box of negative size': NOTE,
        'dropped: category not listed in the file': GAP,
        'dropped: image not listed in the file': GAP,
    }


def test_second_use_of_an_id(tree):
    tree.add_annotation(2, 1, id=100)
    tree.add_annotation(2, 1, id=100, bbox=None)
    path = tree.write()
    assert drops_of(path) == {
        'annotation id used before': [100],
        'no bounding box': [100],
    }
    (finding,) = duplicate_id_findings(read(path)[0])
    assert (finding.severity, finding.items) == (GAP, (100,))


def test_sound_annotations_have_no_finding(tree):
    assert odd(tree) == {}


@pytest.mark.parametrize(
    'kind, fields',
    [
        ('box leaves the image', dict(bbox=[30.0, 10.0, 18.5, 20.0])),
        ('box leaves the image', dict(bbox=[-0.5, 10.0, 40.0, 20.0])),
        ('visible keypoint outside its box', dict(keypoints=INSIDE + [32.5, 20.0, 1])),
        ('visible keypoint outside its box', dict(keypoints=INSIDE + [20.0, 8.9, 2])),
        ('v = 0 with non-zero coordinates', dict(keypoints=INSIDE + [0.0, 3.0, 0])),
        ('v is none of 0, 1, 2', dict(keypoints=INSIDE + [15.0, 15.0, 3])),
        (
            'fewer than 3 visible keypoints',
            dict(keypoints=INSIDE[:6] + [0, 0, 0] * 2, num_keypoints=2),
        ),
        ('num_keypoints is not the number of v > 0', dict(num_keypoints=3)),
    ],
)
def test_one_oddity(tree, kind, fields):
    if 'v = 0' in kind:
        fields = dict(fields, num_keypoints=3)
    if kind.startswith('box'):
        fields = dict(fields, keypoints=[35.0, 20.0, 2] * 4)
    ann_id = tree.add_annotation(1, 1, **fields)
    assert odd(tree) == {kind: (ann_id,)}


@pytest.mark.parametrize(
    'fields',
    [
        dict(bbox=[30.0, 10.0, 18.0, 30.0], keypoints=[48.0, 40.0, 2] * 4),
        dict(keypoints=INSIDE + [32.0, 9.0, 2]),  # a pixel outside the box
        dict(keypoints=INSIDE + [0.0, 0.0, 0], num_keypoints=3),
    ],
)
def test_just_inside(tree, fields):
    tree.add_annotation(1, 1, **fields)
    assert odd(tree) == {}


def test_outside_the_image_is_outside_the_box_too(tree):
    ann_id = tree.add_annotation(1, 1, keypoints=INSIDE + [48.5, 20.0, 1])
    assert odd(tree) == {
        'visible keypoint outside its box': (ann_id,),
        'visible keypoint outside the image': (ann_id,),
    }


def test_invisible_keypoints_and_absent_boxes_are_never_outside(tree):
    hidden = INSIDE + [500.0, 500.0, 0]
    ann_id = tree.add_annotation(1, 1, keypoints=hidden, num_keypoints=3)
    tree.add_annotation(1, 1, bbox=None, keypoints=INSIDE + [40.0, 2.0, 2])
    assert odd(tree) == {'v = 0 with non-zero coordinates': (ann_id,)}


def test_several_instances_in_one_image(tree):
    tree.add_annotation(1, 1)
    tree.add_annotation(2, 1)
    (finding,) = crowded_image_findings(read(tree.write())[0])
    assert finding.items == ('2 in image 1',)


def test_documented_numbers_of_the_real_files(mp100_annotations):
    """Distinct annotations over the ten validation and test files."""
    ids: dict[str, set] = {}
    most = 0
    for path in sorted(mp100_annotations.glob('mp100_split*_[vt][ae][ls]*.json')):
        coco, categories = read(path)
        for finding in geometry_findings(coco, categories):
            ids.setdefault(finding.kind, set()).update(finding.items)
        for reason, dropped in drops_of(path).items():
            ids.setdefault(reason, set()).update(dropped)
        first = crowded_image_findings(coco)[0].items[0]
        most = max(most, int(first.split()[0]))
    assert {kind: len(found) for kind, found in ids.items()} == {
        'bounding box of negative size': 6,
        'box leaves the image': 28,
        'visible keypoint outside its box': 63,
        'visible keypoint outside the image': 38,
        'v = 0 with non-zero coordinates': 59,
        'fewer than 3 visible keypoints': 28,
    }
    assert most == 9
