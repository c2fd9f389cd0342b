"""Categories: keyed by id, K from the annotations, skeletons counted from 0."""

import json
from collections import Counter

import pytest

from cape_mm.datasets.categories import read_categories, zero_based_skeleton
from cape_mm.errors import AnnotationFormatError


def raw(category_id=1, names=(), skeleton=(), name='cat'):
    names, skeleton = list(names), [list(edge) for edge in skeleton]
    return dict(id=category_id, name=name, keypoints=names, skeleton=skeleton)


def annotations(num_keypoints, category_id=1, count=1):
    keypoints = [1.0, 1.0, 2] * num_keypoints
    return [dict(category_id=category_id, keypoints=keypoints)] * count


@pytest.mark.parametrize(
    'edges, num_keypoints, expected',
    [
        ([[0, 1], [1, 2]], 3, ((0, 1), (1, 2))),
        ([[1, 2], [2, 3]], 3, ((0, 1), (1, 2))),  # an index equal to K: 1-based
        ([[3, 1]], 3, ((2, 0),)),
        ([[1, 2]], 3, ((1, 2),)),  # fits both: 0-based
        ([], 3, ()),
        ([[0, 1], [1, 0], [0, 1]], 2, ((1, 0),)),
        ([[2, 2], [0, 1]], 3, ((0, 1),)),
        ([[1, 1], [3, 3], [1, 3]], 3, ((0, 2),)),
    ],
)
def test_base_is_detected(edges, num_keypoints, expected):
    found = zero_based_skeleton(edges, num_keypoints)
    assert {frozenset(edge) for edge in found} == {frozenset(e) for e in expected}
    assert len(found) == len(expected)


@pytest.mark.parametrize('edge', [[0, 3], [2, 4], [-1, 1]])
def test_edge_out_of_range_names_file_category_and_edge(edge):
    category = raw(7, 'abc', [[0, 1], edge], name='lynx')
    message = rf"file\.json: category 7 \('lynx'\): skeleton edge \[{edge[0]}, "
    with pytest.raises(AnnotationFormatError, match=message):
        read_categories([category], annotations(3, 7), 'file.json')


@pytest.mark.parametrize(
    'skeleton', [[1, 2], [[0, 1, 2]], [['a', 'b']], [[None, 1]], 'ab']
)
def test_skeleton_that_is_no_list_of_pairs(skeleton):
    category = dict(id=7, name='lynx', keypoints=list('abc'), skeleton=skeleton)
    with pytest.raises(AnnotationFormatError, match=r'file\.json: category 7'):
        read_categories([category], [], 'file.json')


def test_two_categories_called_face_stay_apart():
    raws = [raw(18, name='face'), raw(40, name='face')]
    found = read_categories(raws, annotations(19, 18) + annotations(68, 40), 'f')
    assert [(c.id, c.name, c.num_keypoints) for c in found.values()] == [
        (18, 'face', 19),
        (40, 'face', 68),
    ]
    assert list(found) == [18, 40]


def test_empty_name_list_takes_the_number_from_the_annotations():
    category = read_categories([raw(skeleton=[[0, 4]])], annotations(5), 'f')[1]
    assert (category.num_keypoints, category.keypoint_names) == (5, ())
    assert category.skeleton == ((0, 4),)


def read_real(path):
    content = json.loads(path.read_text())
    found = read_categories(content['categories'], content['annotations'], path.name)
    return content, found


def real_files(folder):
    return sorted(folder.glob('mp100_split*.json')) + sorted(
        folder.glob('original/*.json')
    )


def test_every_category_of_the_real_files(mp100_annotations):
    files = real_files(mp100_annotations)
    assert len(files) > 10
    for path in files:
        content, categories = read_real(path)
        lengths = Counter(
            (a['category_id'], len(a['keypoints']) // 3) for a in content['annotations']
        )
        assert len(categories) == len(content['categories'])
        for category_id, category in categories.items():
            if (category_id, category.num_keypoints) not in lengths:
                assert not any(key == category_id for key, _ in lengths)
            nodes = [node for edge in category.skeleton for node in edge]
            assert all(0 <= node < category.num_keypoints for node in nodes)


def test_original_files_read_as_the_updated_ones(mp100_annotations):
    """The updated files count from 0 everywhere, so they are the oracle."""
    updated = {}
    for path in mp100_annotations.glob('mp100_split*.json'):
        updated.update(read_real(path)[1])
    num_shifted = 0
    for path in mp100_annotations.glob('original/*.json'):
        content, categories = read_real(path)
        for raw_category in content['categories']:
            if not raw_category['skeleton']:
                continue
            category = categories[raw_category['id']]
            expected = as_sets(updated[category.id].skeleton)
            assert as_sets(category.skeleton) == expected, (path.name, category.name)
            num_shifted += as_sets(raw_category['skeleton']) != expected
    assert num_shifted


def as_sets(edges):
    return {frozenset(edge) for edge in edges}
