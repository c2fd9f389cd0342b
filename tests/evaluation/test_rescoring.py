"""Stored predictions score what they scored, and a gap in them is seen."""

import json

import pytest
from dumped_episodes import evaluate_tree, fill_tree

from cape_mm.errors import ConfigError
from cape_mm.evaluation.rescoring import score_dump
from cape_mm.evaluation.result_file import read_results

BOTH = ('keypoint_scores', 'keypoints_visible')


def edit(path, change):
    entries = json.loads(path.read_text())
    path.write_text(json.dumps(change(entries)))


@pytest.mark.parametrize('num_shots', [1, 2])
@pytest.mark.parametrize('scores, has_matcher', [((), False), (BOTH, True)])
def test_equals_the_run_to_the_last_bit(
    coco_tree, tmp_path, scores, has_matcher, num_shots
):
    evaluated = evaluate_tree(fill_tree(coco_tree), scores, num_shots, has_matcher)
    live = evaluated.metric()
    expected = live.evaluate(1)
    metrics = score_dump(evaluated.dump(tmp_path / 'preds.json'), evaluated.ann_file)
    assert {key: metrics[key] for key in expected} == expected
    assert metrics.keys() - expected.keys() <= {'run', 'by_visibility'}
    assert ('ECE@0.2' in metrics) == bool(scores)
    assert ('matching/PCK@0.2' in metrics) == has_matcher
    pairs = read_results(tmp_path / 'preds.metrics.json')
    assert pairs.table.values.tobytes() == live.pairs.values.tobytes()
    assert pairs.run['checkpoint'] == 'w.pth'
    assert len(pairs.run['episodes_sha256']) == 64


def test_visibility_comes_from_the_labels(coco_tree, tmp_path):
    evaluated = evaluate_tree(fill_tree(coco_tree))
    metrics = score_dump(evaluated.dump(tmp_path / 'preds.json'), evaluated.ann_file)
    counts = {
        name: row['num_keypoints'] for name, row in metrics['by_visibility'].items()
    }
    annotations = json.loads(evaluated.ann_file.read_text())['annotations']
    labels = {ann['id']: ann['keypoints'][2::3] for ann in annotations}
    expected = {'v=1': 0, 'v=2': 0}
    for episode in evaluated.episodes:
        supports = [labels[ann_id] for ann_id in episode.support_ids]
        for query in (labels[ann_id] for ann_id in episode.query_ids):
            for keypoint, v in enumerate(query):
                if v and all(support[keypoint] for support in supports):
                    expected[f'v={v}'] += 1
    assert counts == expected


@pytest.fixture
def evaluated(coco_tree):
    return evaluate_tree(fill_tree(coco_tree), BOTH)


def test_a_missing_pair_is_counted(evaluated, tmp_path, capsys):
    path = evaluated.dump(tmp_path / 'preds.json')
    edit(path, lambda entries: entries[:5] + entries[6:9])  # two pairs, one episode
    metrics = score_dump(path, evaluated.ann_file)
    assert (metrics['num_pairs'], metrics['num_pairs_dropped']) == (8, 4)
    assert metrics['dropped_by_reason'] == {'not in the dump': 4}
    assert metrics['per_category']['8 cat8']['num_pairs_dropped'] == 3
    out = capsys.readouterr().out
    assert 'not in the dump: 4' in out
    assert 'partial' in out.lower()


def test_a_pair_that_was_dropped_keeps_its_reason(evaluated, tmp_path):
    path = evaluated.dump(tmp_path / 'preds.json')

    def drop(entries):
        entries[0]['evaluation']['dropped_pairs'] = [[3, 2, 'query: image not found']]
        return entries[:-1]

    edit(path, drop)
    metrics = score_dump(path, evaluated.ann_file)
    assert metrics['dropped_by_reason'] == {'query: image not found': 1}


def test_labels_of_another_data_set(evaluated, tmp_path):
    path = evaluated.dump(tmp_path / 'preds.json')
    content = json.loads(evaluated.ann_file.read_text())
    other = tmp_path / 'other.json'

    def refuse(match, **changes):
        other.write_text(json.dumps({**content, **changes}))
        with pytest.raises(ConfigError, match=match):
            score_dump(path, other)

    shifted = [{**ann, 'id': ann['id'] + 500} for ann in content['annotations']]
    refuse('which .*other.json does not have', annotations=shifted)
    renamed = [{**category, 'id': 5} for category in content['categories'][:1]]
    swapped = [
        {**ann, 'category_id': 5 if ann['category_id'] == 3 else ann['category_id']}
        for ann in content['annotations']
    ]
    refuse(
        'of category 3, which .*other.json does not have or has otherwise',
        annotations=swapped,
        categories=content['categories'] + renamed,
    )
    longer = [
        {**ann, 'keypoints': ann['keypoints'] + [1, 1, 2]}
        for ann in content['annotations']
    ]
    refuse('has 4 keypoints, but .*with 5', annotations=longer)
    images = [image['id'] for image in content['images']]
    moved = [
        {**ann, 'image_id': images[images.index(ann['image_id']) - 1]}
        for ann in content['annotations']
    ]
    refuse('is of image', annotations=moved)
