"""Skeletons: the base per category, each edge that does not fit, names used twice."""

from cape_mm.data_tools.checking.findings import REFUSED
from cape_mm.data_tools.checking.skeletons import read_categories_leniently
from cape_mm.datasets.annotation_file import read_annotation_file


def findings_of(tree):
    coco = read_annotation_file(tree.write())
    categories, findings = read_categories_leniently(coco, 'data.json')
    return categories, {f.kind: f for f in findings}


def test_every_bad_edge_is_named_and_the_category_stays(coco_tree):
    coco_tree.fill(1, num_images=1, skeleton=[[0, 1], [1, 9], [0, 4]])
    coco_tree.fill(2, num_images=1)
    coco_tree.fill(3, num_images=1, skeleton=[['a', 1]])
    categories, findings = findings_of(coco_tree)
    assert [c.num_keypoints for c in categories.values()] == [4, 4, 4]
    assert findings['skeleton edge out of range'].items == (
        '1 cat1 edge [1, 9] (K = 4)',
        '1 cat1 edge [0, 4] (K = 4)',
        "3 cat3 edge ['a', 1] (K = 4)",
    )
    refused = findings['category refused']
    assert refused.severity == REFUSED
    assert [text[:23] for text in refused.items] == [
        "category 1 ('cat1'): sk",
        "category 3 ('cat3'): sk",
    ]
    assert categories[2].skeleton == ((0, 1), (1, 2), (2, 3))


def test_names_that_are_no_list(coco_tree):
    coco_tree.fill(1, num_images=1)
    coco_tree.content['categories'][0]['keypoints'] = 4
    categories, findings = findings_of(coco_tree)
    assert (
        findings['category refused'].items[0].startswith("category 1 ('cat1'): \"key")
    )
    assert categories[1].num_keypoints == 4


def test_base_isolated_and_empty_are_notes(coco_tree):
    coco_tree.fill(1, num_images=1, skeleton=[[1, 2], [2, 4]])
    coco_tree.fill(2, num_images=1, skeleton=[[1, 2]])
    coco_tree.fill(3, num_images=1, skeleton=[])
    _, findings = findings_of(coco_tree)
    items = {kind: finding.items for kind, finding in findings.items()}
    assert items == {
        'skeleton counts from 1': ('1 cat1',),
        'skeleton fits 0 and 1': ('2 cat2, read from 1',),
        'no skeleton': ('3 cat3',),
    }


def test_same_name_and_same_id(coco_tree):
    coco_tree.fill(18, num_images=1, name='face')
    coco_tree.fill(40, num_images=1, name='face', num_keypoints=6)
    coco_tree.add_category(40, num_keypoints=6, name='mask')
    categories, findings = findings_of(coco_tree)
    assert findings['categories of the same name'].items == ("'face' (ids 18, 40)",)
    assert findings['category id used twice'].items == (40,)
    assert categories[18].num_keypoints == 4
