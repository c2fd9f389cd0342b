"""Stored predictions score what they scored, and a gap in them is seen."""

import json

import pytest
from dumped_episodes import evaluate_tree, fill_tree

from cape_mm.errors import AnnotationFormatError, ConfigError, MissingDataError
from cape_mm.evaluation.rescoring import read_dump, score_dump
from cape_mm.evaluation.result_file import read_results

BOTH = ('keypoint_scores', 'keypoints_visible')


def edit(path, change):
    entries = json.loads(path.read_text())
    changed = change(entries)
    path.write_text(json.dumps(entries if changed is None else changed))


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


@pytest.fixture
def path(coco_tree, tmp_path):
    return evaluate_tree(fill_tree(coco_tree)).dump(tmp_path / 'preds.json')


def refuse(path, match):
    with pytest.raises(AnnotationFormatError, match=match):
        read_dump(path)


def test_what_was_written_is_read_in_any_order(path):
    dump = read_dump(path)
    assert len(dump.entries) == 12
    assert [len(episode.query_ids) for episode in dump.episodes] == [3] * 4
    assert dump.run == {'checkpoint': 'w.pth'}
    edit(path, lambda entries: entries[::-1])
    assert read_dump(path) == dump


def test_no_file(tmp_path):
    with pytest.raises(MissingDataError, match='no such file: .*--dump'):
        read_dump(tmp_path / 'no.json')


@pytest.mark.parametrize('end', [0, -3])
def test_cut_file(path, end):
    path.write_text(path.read_text()[:end])
    refuse(path, 'is not a JSON file')


@pytest.mark.parametrize('content', [[], {'a': 1}, None, 3, [1], [{'id': 1}]])
def test_no_list_of_results(path, content):
    path.write_text(json.dumps(content))
    refuse(path, 'no dump of predictions: its description of the evaluation')


@pytest.mark.parametrize(
    ('key', 'value', 'problem'),
    [
        *(
            ('keypoints', value, 'a value in keypoints, .* not a finite number')
            for value in (['a'], [None], [[1.0]], [float('nan')] * 12, [10**400] * 12)
        ),
        ('keypoints_visible', [float('inf')] * 4, 'not a finite number'),
        ('slot', True, 'is of episode 0, slot True'),
        ('slot', -1, 'slot -1'),
        ('slot', 3, 'is of episode 0, slot 3, which was not evaluated'),
        ('episode_index', 4, 'is of episode 4, slot 2, which was not evaluated'),
        ('slot', 1, 'is listed twice'),
        ('ann_id', 1, r'\(episode 0, slot 2\) is of category, annotation and supp'),
        ('support_ids', [1, 2], 'but the episode has'),
    ],
)
def test_malformed_entry_is_named(path, key, value, problem):
    edit(path, lambda entries: entries[2].update({key: value}))
    refuse(path, f'entry 2 .*{problem}')


@pytest.mark.parametrize('keypoints', [None, [1.0] * 11, []])
def test_another_number_of_keypoints(evaluated, tmp_path, keypoints):
    path = evaluated.dump(tmp_path / 'preds.json')
    edit(path, lambda entries: entries[2].update(keypoints=keypoints))
    with pytest.raises((AnnotationFormatError, ConfigError), match='keypoints'):
        score_dump(path, evaluated.ann_file)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('episodes', [[3, [], []]]),
        ('episodes', 5),
        ('dropped_pairs', [[1]]),
        ('run', 5),
        ('plan', {'3': {}}),
        ('plan', [1]),
    ],
)
def test_malformed_evaluation(path, key, value):
    edit(path, lambda entries: entries[0]['evaluation'].update({key: value}))
    refuse(path, 'its description of the evaluation can not be read')
