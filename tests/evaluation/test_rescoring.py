"""Stored predictions score what they scored, and what they would have scored."""

import json

import pytest
from stored_episodes import evaluate_tree, fill_tree

from cape_mm.errors import ConfigError
from cape_mm.evaluation.rescoring import rescore
from cape_mm.evaluation.result_file import read_results, write_results

BOTH = ('keypoint_scores', 'keypoints_visible')


@pytest.mark.parametrize('num_shots', [1, 2])
@pytest.mark.parametrize('scores, has_matcher', [((), False), (BOTH, True)])
def test_equals_the_run_to_the_last_bit(
    coco_tree, tmp_path, scores, has_matcher, num_shots
):
    evaluated = evaluate_tree(fill_tree(coco_tree), scores, num_shots, has_matcher)
    live = evaluated.metric()
    expected = live.evaluate(1)
    metrics = rescore(evaluated.store(tmp_path), evaluated.ann_file)
    assert {key: metrics[key] for key in expected} == expected
    assert metrics.keys() - expected.keys() <= {'run', 'by_visibility'}
    assert ('ECE@0.2' in metrics) == bool(scores)
    assert ('matching/PCK@0.2' in metrics) == has_matcher
    again = read_results(tmp_path / 'rescored.json')
    assert again.table.values.tobytes() == live.pairs.values.tobytes()
    assert again.run['checkpoint'] == 'w.pth'
    ids = [
        [(e.support_ids, e.query_ids) for e in x.episodes] for x in (again, evaluated)
    ]
    assert ids[0] == ids[1]


@pytest.fixture
def evaluated(coco_tree):
    return evaluate_tree(fill_tree(coco_tree), BOTH)


def test_corrected_labels_count(evaluated, tmp_path):
    """Every point of one query moved to where it was predicted."""
    path = evaluated.store(tmp_path)
    table = read_results(path).table
    points = table.points[table.pair_of_point == 0]
    content = json.loads(evaluated.ann_file.read_text())
    (query,) = [a for a in content['annotations'] if a['id'] == table.ann_id[0]]
    for index, x, y in zip(points['index'], points['x'], points['y']):
        query['keypoints'][3 * index : 3 * index + 2] = float(x), float(y)
    corrected = tmp_path / 'corrected.json'
    corrected.write_text(json.dumps(content))
    rescore(path, corrected, tmp_path / 'm.json')
    again = read_results(tmp_path / 'm.json').table
    assert table.values[0, -1] > 1
    assert again.values[0, -1] == pytest.approx(0, abs=1e-5)


def test_dropped_pairs_stay_dropped(evaluated, tmp_path):
    sample = evaluated.samples[0]
    dropped = [{'slot': 1, 'ann_id': 7, 'reason': 'gone'}]
    sample.set_metainfo({'query_slots': [0, 2], 'dropped_pairs': dropped})
    sample.gt_instances = sample.gt_instances[[0, 2]]
    sample.pred_instances = sample.pred_instances[[0, 2]]
    metrics = rescore(evaluated.store(tmp_path), evaluated.ann_file)
    assert (metrics['num_pairs'], metrics['num_pairs_dropped']) == (11, 1)
    assert metrics['dropped_by_reason'] == {'gone': 1}


def test_labels_of_another_data_set(evaluated, tmp_path):
    path, other = evaluated.store(tmp_path), tmp_path / 'other.json'
    content = json.loads(evaluated.ann_file.read_text())
    shifted = [{**ann, 'id': ann['id'] + 500} for ann in content['annotations']]
    renamed = [{**category, 'id': 5} for category in content['categories'][:1]]
    swapped = [
        {**ann, 'category_id': 5 if ann['category_id'] == 3 else ann['category_id']}
        for ann in content['annotations']
    ]
    longer = [
        {**ann, 'keypoints': ann['keypoints'] + [1, 1, 2]}
        for ann in content['annotations']
    ]
    for changes in (
        dict(annotations=shifted),
        dict(annotations=swapped, categories=content['categories'] + renamed),
        dict(annotations=longer),
    ):
        other.write_text(json.dumps({**content, **changes}))
        match = 'of category 3 with 4 keypoints, .*other.json does not have it or'
        with pytest.raises(ConfigError, match=match):
            rescore(path, other)


def test_a_test_of_unknown_supports(evaluated, tmp_path):
    path = evaluated.store(tmp_path)
    write_results(read_results(path).table, path)
    with pytest.raises(ConfigError, match='does not say what the supports were'):
        rescore(path, evaluated.ann_file)
