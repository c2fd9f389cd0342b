"""A dump that is damaged, or none, is refused with the entry that is wrong."""

import json

import pytest
from dumped_episodes import evaluate_tree, fill_tree

from cape_mm.errors import AnnotationFormatError, MissingDataError
from cape_mm.evaluation.dump_reading import read_dump


@pytest.fixture
def path(coco_tree, tmp_path):
    return evaluate_tree(fill_tree(coco_tree)).dump(tmp_path / 'preds.json')


def edit(path, change):
    entries = json.loads(path.read_text())
    changed = change(entries)
    path.write_text(json.dumps(entries if changed is None else changed))


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


def test_missing_entries_are_no_damage(path):
    edit(path, lambda entries: entries[:5])
    assert len(read_dump(path).entries) == 5


def test_no_file(tmp_path):
    with pytest.raises(MissingDataError, match='no dump of predictions at'):
        read_dump(tmp_path / 'no.json')


@pytest.mark.parametrize('end', [0, 10, -3])
def test_cut_file(path, end):
    path.write_text(path.read_text()[:end])
    refuse(path, 'is not a JSON file')


@pytest.mark.parametrize(
    ('content', 'found'), [([], 'an empty list'), ({'a': 1}, 'a dict'), (None, 'a Non')]
)
def test_no_list_of_results(path, content, found):
    path.write_text(json.dumps(content))
    refuse(path, f'should be a list of COCO keypoint results.*but is {found}')


def test_results_of_another_tool(path):
    edit(path, lambda entries: entries[1:])
    refuse(path, 'preds.json: 0 of its 11 entries say what was evaluated')


@pytest.mark.parametrize(
    ('key', 'value', 'problem'),
    [
        ('keypoints', None, 'has no "keypoints" of type list'),
        ('keypoints', ['a'], 'other things than numbers'),
        ('keypoints', [float('nan')] * 12, 'NaN, infinite or absurdly large number'),
        ('keypoints', [10**400] * 12, 'absurdly large number in "keypoints"'),
        ('keypoints_visible', [float('inf')] * 4, 'in "keypoints_visible"'),
        ('keypoints', [1.0] * 11, '11 numbers in "keypoints", which is not 3 per'),
        ('slot', True, 'has no "slot" of type int'),
        ('slot', 3, 'is of episode 0, slot 3, which was not evaluated'),
        ('slot', -1, 'slot -1, which was not evaluated'),
        ('episode_index', 4, 'is of episode 4, slot 2, which was not evaluated'),
        ('slot', 1, 'is of category, annotation and supports'),
        ('ann_id', 1, r'\(episode 0, slot 2\) is of category, annotation and supp'),
        ('support_ids', [1, 2], 'but the episode has'),
    ],
)
def test_malformed_entry_is_named(path, key, value, problem):
    edit(path, lambda entries: entries[2].update({key: value}))
    refuse(path, f'entry 2 .*{problem}')


def test_entry_listed_twice(path):
    edit(path, lambda entries: [*entries, entries[1]])
    refuse(path, 'entry 12 is listed twice')


def test_entry_that_is_no_object(path):
    edit(path, lambda entries: [*entries, 3])
    refuse(path, 'entry 12 is a int instead of an object')


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
    refuse(path, '"evaluation" of its first entry can not be read')


def test_another_version(path):
    edit(path, lambda entries: entries[0]['evaluation'].update(format='2'))
    refuse(path, '"evaluation" should have "format"')
