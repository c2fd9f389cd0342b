"""A stored draw: its text, its fingerprint, and when it is refused."""

import hashlib
import json
from dataclasses import replace

import pytest
from episode_data import open_tree

from cape_mm.datasets import FixedEpisodeSampler
from cape_mm.datasets.frozen_episodes import (
    FrozenEpisodes,
    describe_protocol,
    episodes_sha256,
    files_sha256,
    read_frozen_episodes,
)
from cape_mm.errors import AnnotationFormatError, ConfigError, MissingDataError
from cape_mm.structures import Episode

FIRST = Episode(4, (10, 11), (20, 21), seed=0, index=0)
SECOND = Episode(2, (30, 31), (40,), seed=1, index=1)


def test_hash_of_the_documented_text():
    text = '[[4,[10,11],[20,21]],[2,[30,31],[40]]]'
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert episodes_sha256([FIRST, SECOND]) == expected
    assert episodes_sha256([]) == hashlib.sha256(b'[]').hexdigest()


@pytest.mark.parametrize(
    'episodes',
    [
        [SECOND, FIRST],
        [FIRST],
        [replace(FIRST, category_id=5), SECOND],
        [replace(FIRST, support_ids=(11, 10)), SECOND],
        [replace(FIRST, query_ids=(21, 20)), SECOND],
        [replace(FIRST, support_ids=(10,), query_ids=(11, 20, 21)), SECOND],
        [replace(FIRST, query_ids=(20, 22)), SECOND],
    ],
)
def test_every_id_and_its_place_count(episodes):
    assert episodes_sha256(episodes) != episodes_sha256([FIRST, SECOND])


FROZEN = FrozenEpisodes('own draw: "ä"', 2, 'ab' * 32, (FIRST, SECOND))


def test_text_is_the_documented_json():
    content = json.loads(FROZEN.to_text())
    assert list(content) == [
        *('protocol', 'num_shots', 'ann_file_sha256', 'episodes_sha256', 'episodes')
    ]
    assert content['protocol'] == 'own draw: "ä"'
    assert content['num_shots'] == 2
    assert content['ann_file_sha256'] == 'ab' * 32
    assert content['episodes_sha256'] == episodes_sha256([FIRST, SECOND])
    assert content['episodes'] == [
        dict(category_id=4, support=[10, 11], queries=[20, 21]),
        dict(category_id=2, support=[30, 31], queries=[40]),
    ]
    assert len(FROZEN.to_text().splitlines()) == 10  # one episode per line


@pytest.mark.parametrize(
    'change, start',
    [
        ({}, 'official MP-100 draw: random.seed(1), 200 episodes x 15 queries per'),
        (dict(episodes_per_category=100), 'official MP-100 draw: random.seed(1), 100'),
        (dict(episodes_per_category=20), 'own draw: random.seed(1), 20 episodes x 15'),
        (dict(num_queries=3), 'own draw: random.seed(1), 200 episodes x 3 queries'),
        (dict(draw_seed=2), 'own draw: random.seed(2), '),
        (dict(distinct_images=True), 'own draw: '),
    ],
)
def test_only_the_official_draw_is_called_so(change, start):
    official = dict(
        draw_seed=1, episodes_per_category=200, num_queries=15, distinct_images=False
    )
    text = describe_protocol(**{**official, **change})
    assert text.startswith(start)
    assert ('on other images' in text) == ('distinct_images' in change)


DRAW = dict(num_shots=2, num_queries=3, episodes_per_category=6)


@pytest.fixture
def tree(coco_tree):
    """Two categories of eight images, ids 100 to 107 and 108 to 115."""
    coco_tree.fill(7, num_images=8)
    coco_tree.fill(2, num_images=8, num_keypoints=5)
    return coco_tree


def freeze(tree):
    """The tree's episodes, the categories mixed, and their file."""
    episodes = FixedEpisodeSampler(open_tree(tree), **DRAW).episodes[::-1]
    episodes[5], episodes[6] = episodes[6], episodes[5]
    episodes = [replace(e, seed=i, index=i) for i, e in enumerate(episodes)]
    path = tree.root / 'episodes.json'
    sha256 = files_sha256([tree.root / 'data.json'])
    path.write_text(FrozenEpisodes('draw', 2, sha256, tuple(episodes)).to_text())
    return episodes, path


def replay(tree, path, **kwargs):
    return FixedEpisodeSampler(open_tree(tree), episodes_file=str(path), **kwargs)


def edit(path, change, rehash=True):
    """Change the stored content; ``rehash`` forges the hash as well."""
    content = json.loads(path.read_text())
    change(content)
    if rehash:
        ids = [[*record.values()] for record in content['episodes']]
        text = json.dumps(ids, separators=(',', ':'))
        content['episodes_sha256'] = sha256_of(text)
    path.write_text(json.dumps(content))


def sha256_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_replay_is_the_stored_list(tree):
    episodes, path = freeze(tree)
    assert [e.category_id for e in episodes] == [2] * 5 + [7, 2] + [7] * 5
    sampler = replay(tree, path)
    assert list(sampler) == episodes
    assert len(sampler) == 12
    assert sampler.episodes_sha256 == episodes_sha256(episodes)
    assert (sampler.num_shots, sampler.num_queries) == (2, 3)
    assert sampler.episodes_per_category == 6
    assert list(replay(tree, path, num_shots=2, num_queries=3, seed=5)) == episodes


@pytest.mark.parametrize(
    'given, message',
    [
        (dict(num_shots=1), 'num_shots=1, but the episodes of .* have num_shots=2'),
        (dict(num_queries=15), 'num_queries=15, but .* have num_queries=3'),
        (dict(episodes_per_category=200), 'have episodes_per_category=6. Set epis'),
    ],
)
def test_contradicting_settings_are_refused(tree, given, message):
    _, path = freeze(tree)
    with pytest.raises(ConfigError, match=message):
        replay(tree, path, **given)


def test_another_annotation_file_is_refused(tree):
    _, path = freeze(tree)
    frozen_for = files_sha256([tree.root / 'data.json'])
    tree.content['annotations'][0]['area'] = 399.0
    message = f'for another annotation file: .*{frozen_for}, but that of .*data.json is'
    with pytest.raises(ConfigError, match=message):
        replay(tree, path)


def test_edited_episodes_are_refused(tree):
    _, path = freeze(tree)

    def swap(content):
        record = content['episodes'][4]
        record['queries'] = record['queries'][::-1]

    edit(path, swap, rehash=False)
    with pytest.raises(AnnotationFormatError, match='changed after they were frozen'):
        replay(tree, path)


def put(key, value, place=1):
    return lambda content: content['episodes'][place].update({key: value})


@pytest.mark.parametrize(
    'change, message',
    [
        (put('support', [999, 998]), 'annotation 999, which is not among the 16 usab'),
        (put('queries', [108, 109, 103]), 'annotation 103, which is of category 7 in'),
        (put('category_id', 7), 'episode 1 of category 7 names annotation 1.., which'),
        (put('category_id', 5), 'episode 1 of category 5 names annotation'),
    ],
)
def test_ids_that_do_not_belong_there(tree, change, message):
    _, path = freeze(tree)
    edit(path, change)
    with pytest.raises(ConfigError, match=message):
        replay(tree, path)


CHANGED = 'changed after they were frozen'


@pytest.mark.parametrize(
    'change, message, rehash',
    [
        *(
            (put('support', ids), CHANGED, False)
            for ids in ([108], [108, '109'], [108, 109.0], [108, True], [108, 2**63])
        ),
        (put('category_id', '2'), CHANGED, False),
        (lambda c: c.update(episodes_sha256=None), CHANGED, False),
        (lambda c: c.pop('episodes_sha256'), 'it has no episodes_sha256', False),
        (put('support', [108]), 'should have 2 supports and equally many', True),
        (put('queries', [110, 111]), 'should have 2 supports and equally many', True),
        (put('queries', [108, 108, 109]), 'malformed', True),
        (put('support', None), 'malformed', True),
        (lambda c: c['episodes'].insert(0, 'x'), 'malformed', False),
        (lambda c: c['episodes'][0].pop('queries'), "malformed .*'queries'", False),
        (lambda c: c.update(episodes=[]), 'supports and equally many', True),
        (lambda c: c.update(episodes={}), CHANGED, False),
        (lambda c: c.update(num_shots='2'), "should have '2' supports", False),
        (lambda c: c.update(num_shots=1), 'should have 1 supports', False),
    ],
)
def test_malformed_content(tree, change, message, rehash):
    _, path = freeze(tree)
    edit(path, change, rehash)
    with pytest.raises(AnnotationFormatError, match=message) as info:
        read_frozen_episodes(path)
    assert str(path) in str(info.value)
    assert 'tools/dataset_tools/freeze_episodes.py' in str(info.value)


@pytest.mark.parametrize(
    'content, message',
    [
        (b'{"protocol": "x', 'is not a JSON file'),
        (b'[1, 2]', 'it holds a list instead of an object'),
        (b'{"images": [], "annotations": []}', 'no protocol, .* but annotations, im'),
    ],
)
def test_file_of_another_kind(tmp_path, content, message):
    path = tmp_path / 'episodes.json'
    path.write_bytes(content)
    with pytest.raises(AnnotationFormatError, match=message):
        read_frozen_episodes(path)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingDataError, match='episodes_file not found: .*absent'):
        read_frozen_episodes(tmp_path / 'absent.json')
