"""Stored episodes: replayed as they are, refused where they are not what they were."""

import hashlib
import json
import os
from dataclasses import replace

import pytest
from episode_data import open_tree

from cape_mm.datasets import FixedEpisodeSampler
from cape_mm.datasets.frozen_episodes import (
    FrozenEpisodes,
    episodes_sha256,
    files_sha256,
)
from cape_mm.datasets.frozen_episodes_reading import read_frozen_episodes
from cape_mm.errors import AnnotationFormatError, ConfigError, MissingDataError

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


def test_filtered_annotation_is_refused(tree):
    tree.content['annotations'][0]['bbox'] = [1, 1, 0, 0]
    _, path = freeze(tree)
    edit(path, put('queries', [100, 101, 102], place=11))
    edit(path, put('support', [103, 104], place=11))
    with pytest.raises(ConfigError, match='annotation 100, .* the 15 usable annotat'):
        replay(tree, path)


@pytest.mark.parametrize(
    'change, message',
    [
        (put('support', [108]), r'episode 1: "support" should be a list of 2 anno'),
        (put('support', '108'), r'"support" should be a list of 2 annotation ids'),
        (put('support', [108, '109']), r"ids, but is \[108, '109'\]"),
        (put('support', [108, 109.0]), r'but is \[108, 109.0\]'),
        (put('support', [108, True]), r'but is \[108, True\]'),
        (put('support', [108, -1]), r'but is \[108, -1\]'),
        (put('support', [108, 2**63]), r'a list of 2 annotation ids'),
        (put('queries', [110, 111]), r'episode 1: "queries" should be a list of 3'),
        (put('queries', [], place=0), r'episode 0: "queries" should be a list of some'),
        (put('queries', None), r'but is None'),
        (put('queries', [108, 108, 109]), 'should be different annotations'),
        (put('category_id', '2'), r'"category_id" should be an id, but is \'2\''),
        (lambda c: c['episodes'].insert(0, 'x'), r'"episode 0" should be an object'),
        (lambda c: c['episodes'][0].pop('queries'), r'with category_id, support, q'),
        (lambda c: c.update(episodes=[]), 'a list that is not empty, but is'),
        (lambda c: c.update(episodes={}), 'a list that is not empty, but is {}'),
        (lambda c: c.update(num_shots='2'), '"num_shots" should be a number >= 1'),
        (lambda c: c.update(num_shots=True), 'number >= 1, but is True'),
        (lambda c: c.update(num_shots=1), r'"support" should be a list of 1 annota'),
        (lambda c: c.update(ann_file_sha256=None), '64 hexadecimal digits, but is N'),
        (lambda c: c.update(episodes_sha256='0' * 63), '64 hexadecimal digits'),
        (lambda c: c.update(protocol=1), '"protocol" should be a text, but is 1'),
        (lambda c: c.pop('episodes_sha256'), 'it has no episodes_sha256, but ann_file'),
    ],
)
def test_malformed_content(tree, change, message):
    _, path = freeze(tree)
    edit(path, change, rehash=False)
    with pytest.raises(AnnotationFormatError, match=message) as info:
        read_frozen_episodes(path)
    assert str(path) in str(info.value)
    assert 'tools/dataset_tools/freeze_episodes.py' in str(info.value)


@pytest.mark.parametrize(
    'damage, message',
    [
        (lambda data: data[: len(data) // 2], 'is not a JSON file'),
        (lambda data: data.decode().encode('utf-16'), 'is not a JSON file'),
        (lambda data: b'', 'is not a JSON file'),
        (lambda data: b'\x89PNG\r\n\x1a\n', 'is not a JSON file'),
        (lambda data: b'[' * 100_000, 'is not a JSON file'),
        (lambda data: b'9' * 10_000, 'is not a'),
        (lambda data: b'[1, 2]', 'it holds a list instead of an object'),
        (lambda data: b'null', 'it holds a NoneType instead of an object'),
        (lambda data: b'{}', 'but nothing'),
        (
            lambda data: b'{"images": [], "annotations": [], "categories": []}',
            'has no protocol, .* but annotations, categories, images',
        ),
    ],
)
def test_file_of_another_kind(tree, damage, message):
    _, path = freeze(tree)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(AnnotationFormatError, match=message):
        read_frozen_episodes(path)


def test_file_that_is_not_there(tree, tmp_path):
    with pytest.raises(MissingDataError, match='episodes_file not found: .*absent'):
        read_frozen_episodes(tmp_path / 'absent.json')
    (tmp_path / 'folder.json').mkdir()
    with pytest.raises(MissingDataError, match='episodes_file not found: .*folder'):
        read_frozen_episodes(tmp_path / 'folder.json')
    loop = tmp_path / 'loop.json'
    os.symlink(loop, loop)
    with pytest.raises(MissingDataError, match='episodes_file not found: .*loop'):
        read_frozen_episodes(loop)
