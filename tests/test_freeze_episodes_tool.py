"""freeze_episodes.py as a user calls it, and the replay of what it wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tool_calls import FAST, TINY

from cape_mm.datasets.frozen_episodes import read_frozen_episodes

SMALL = [
    f'{subset}_dataloader.sampler.{key}'
    for subset in ('val', 'test')
    for key in ('num_queries=2', 'episodes_per_category=3')
]


@pytest.fixture
def ann_file(synthetic_root, tmp_path) -> Path:
    """An annotation file of two categories of 24 instances, far from any image."""
    source = synthetic_root / 'annotations/synthetic_split1_test.json'
    content = json.loads(source.read_text())
    for name, keys in (('images', ['id']), ('annotations', ['id', 'image_id'])):
        content[name] = [
            entry | {key: entry[key] + 10_000 * copy for key in keys}
            for copy in range(3)
            for entry in content[name]
        ]
    path = tmp_path / 'pets_test.json'
    path.write_text(json.dumps(content))
    return path


def freeze(call, ann_file, out, *more):
    return call('freeze_episodes', '--ann-file', ann_file, '--out', out, *more)


def freeze_config(call, root, out, *more, options=()):
    fixed = ('--out', out, *more, '--cfg-options', f'data_root={root}')
    return call('freeze_episodes', TINY, *fixed, *SMALL, *options)


def test_an_annotation_file_alone_is_enough(call, ann_file, tmp_path):
    for name, num_episodes in (('cats_test', 200), ('cats_val', 100)):
        path = shutil.copy(ann_file, tmp_path / f'{name}.json')
        outcome = freeze(call, path, tmp_path / name)
        assert outcome.code == 0, outcome.err
        for num_shots in (1, 5):
            made = tmp_path / name / f'{name}_{num_shots}shot.json'
            content = json.loads(made.read_text())
            assert content['num_shots'] == num_shots
            assert len(content['episodes']) == 2 * num_episodes
            assert {len(e['queries']) for e in content['episodes']} == {15}
            assert f'{made}\n' in outcome.out
            assert content['episodes_sha256'] in outcome.out
        assert f'2 categories, {2 * num_episodes} episodes' in outcome.out
    path = shutil.copy(ann_file, tmp_path / 'pets.json')
    check(freeze(call, path, tmp_path), 'whether it is a test file')


def test_config_gives_its_own_draws(call, synthetic_root, tmp_path):
    outcome = freeze_config(call, synthetic_root, tmp_path, '--num-shots', '1')
    assert outcome.code == 0, outcome.err
    names = sorted(path.name for path in tmp_path.glob('*.json'))
    assert names == [
        f'synthetic_split1_{subset}_1shot.json' for subset in ('test', 'val')
    ]
    frozen = read_frozen_episodes(tmp_path / names[0])
    assert 'queries on other images than supports' in frozen.protocol  # as it has it
    assert {len(episode.query_ids) for episode in frozen.episodes} == {2}


def test_a_different_file_is_never_replaced(call, synthetic_root, tmp_path):
    shots = ('--num-shots', '1', '2')
    assert freeze_config(call, synthetic_root, tmp_path, *shots).code == 0
    paths = sorted(tmp_path.iterdir())
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    assert freeze_config(call, synthetic_root, tmp_path, *shots).code == 0  # as it was
    assert before == [(p.read_bytes(), p.stat().st_mtime_ns) for p in paths]
    paths[0].unlink()
    more = [f'{s}_dataloader.sampler.num_queries=3' for s in ('val', 'test')]
    outcome = freeze_config(call, synthetic_root, tmp_path, *shots, options=more)
    check(outcome, 'exists and holds other episodes')
    assert not paths[0].exists()  # nothing is written if something is in the way


def check(outcome, *fragments):
    assert outcome.code == 2
    for fragment in fragments:
        assert fragment in outcome.message


def test_bad_input_is_one_message(call, ann_file, tmp_path):
    out = tmp_path / 'out'
    check(call('freeze_episodes'), 'name a config or an ann_file')
    check(freeze(call, tmp_path / 'no_test.json', out), 'annotation file not found')
    check(freeze(call, ann_file, out, '--num-shots', '0'), 'at least 1')
    check(freeze(call, ann_file, out, '--num-shots', '50'), 'an episode needs')
    occupied = tmp_path / 'occupied'
    occupied.write_text('a file')
    check(freeze(call, ann_file, occupied), 'out: ')
    assert not out.exists()


def test_config_that_has_nothing_to_freeze(call, ann_file, tmp_path):
    def run(*options):
        fixed = ('--out', tmp_path / 'out', '--cfg-options')
        return call('freeze_episodes', TINY, *fixed, *options)

    check(
        run('val_dataloader.sampler.episodes_file=a.json'),
        'val_dataloader.sampler replays a.json',
    )
    check(run('val_dataloader.sampler.type=DefaultSampler'), 'no FixedEpisodeSampler')
    check(run('data_root=nowhere'), 'annotation file not found: nowhere/')
    check(call('freeze_episodes', tmp_path / 'no.py'), 'config file', 'does not exist')


def test_frozen_episodes_are_replayed_on_partial_data(
    call, synthetic_root, checkpoint, tmp_path
):
    root = shutil.copytree(synthetic_root, tmp_path / 'data')
    options = (*FAST, f'data_root={root}')
    shots = ('--num-shots', '1')
    assert call('freeze_episodes', TINY, '--out', tmp_path, *shots, *options).code == 0
    frozen = tmp_path / 'synthetic_split1_test_1shot.json'
    image_folders = sorted({p.parent for p in root.glob('images/*/*.jpg')})
    content = json.loads((root / 'annotations/synthetic_split1_test.json').read_text())
    gone = Path(content['images'][0]['file_name']).parent.name
    assert root / 'images' / gone in image_folders
    shutil.rmtree(root / 'images' / gone)
    work_dir = tmp_path / 'w'
    replay = f'test_dataloader.sampler.episodes_file={frozen}'
    outcome = call('test', TINY, checkpoint, '--work-dir', work_dir, *options, replay)
    assert outcome.code == 0, outcome.err
    text = 'partial: 1 of 2 categories, 4 of 8 pairs'
    assert f'\n{text} (support: image not found: 4). Do not compare' in outcome.out
    metrics = json.loads((work_dir / 'metrics.json').read_text())
    assert metrics['partial']['text'] == text
    stored = json.loads(frozen.read_text())['episodes_sha256']
    assert metrics['run']['episodes_sha256'] == stored
    wrong = call(
        *('test', TINY, checkpoint, '--work-dir', work_dir, *options, replay),
        'test_dataloader.sampler.num_shots=5',
    )
    check(wrong, 'num_shots=5, but the episodes of', 'have num_shots=1')
