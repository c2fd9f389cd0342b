"""freeze_episodes.py as a user calls it, and the replay of what it wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tool_calls import FAST, TINY

from cape_mm.datasets.frozen_episodes import read_frozen_episodes

SMALL = ('--num-queries', '2', '--episodes-per-category', '3')


@pytest.fixture
def ann_file(synthetic_root, tmp_path) -> Path:
    """An annotation file of two categories, far from any image."""
    source = synthetic_root / 'annotations/synthetic_split1_test.json'
    return Path(shutil.copy(source, tmp_path / 'pets_test.json'))


def freeze(call, ann_file, out, *more):
    return call('freeze_episodes', '--ann-file', ann_file, '--out', out, *SMALL, *more)


def test_annotation_file_alone_is_enough(call, ann_file, tmp_path):
    outcome = freeze(call, ann_file, tmp_path / 'out')
    assert outcome.code == 0, outcome.err
    for num_shots in (1, 5):
        path = tmp_path / f'out/pets_test_{num_shots}shot.json'
        content = json.loads(path.read_text())
        assert content['num_shots'] == num_shots
        assert len(content['episodes']) == 6
        assert {len(e['queries']) for e in content['episodes']} == {2}
        assert f'{path}\n' in outcome.out
        assert content['episodes_sha256'] in outcome.out
        assert '2 categories, 6 episodes, 12 pairs' in outcome.out
    assert len(list((tmp_path / 'out').iterdir())) == 2


def test_config_gives_its_own_draws(call, synthetic_root, tmp_path):
    options = ('--cfg-options', f'data_root={synthetic_root}')
    shots = ('--num-shots', '1', *SMALL)
    outcome = call('freeze_episodes', TINY, '--out', tmp_path, *shots, *options)
    assert outcome.code == 0, outcome.err
    names = sorted(path.name for path in tmp_path.glob('*.json'))
    assert names == [
        f'synthetic_split1_{subset}_1shot.json' for subset in ('test', 'val')
    ]
    text = (tmp_path / names[0]).read_text()
    assert 'queries on other images than supports' in text  # as the config has it
    single = tmp_path / 'one.json'
    more = ('--subset', 'test', *shots, *options)
    assert call('freeze_episodes', TINY, '--out', single, *more).code == 0
    assert single.read_text() == text


def test_official_numbers_come_from_the_file_name(call, ann_file, tmp_path):
    few = ('--num-queries', '2', '--num-shots', '1')
    for name, episodes in (('cats_test', 200), ('cats_val', 100)):
        path = shutil.copy(ann_file, tmp_path / f'{name}.json')
        out = tmp_path / f'{name}_out.json'
        outcome = call('freeze_episodes', '--ann-file', path, '--out', out, *few)
        assert outcome.code == 0, outcome.err
        assert len(json.loads(out.read_text())['episodes']) == 2 * episodes
    path = shutil.copy(ann_file, tmp_path / 'pets.json')
    outcome = call('freeze_episodes', '--ann-file', path, '--out', tmp_path, *few)
    assert outcome.code == 2
    assert 'does not say by its name whether it is a test file' in outcome.message


def test_a_different_file_is_never_replaced_unasked(call, ann_file, tmp_path):
    out = tmp_path / 'out'
    assert freeze(call, ann_file, out).code == 0
    paths = sorted(out.iterdir())
    before = [path.read_bytes() for path in paths]
    times = [path.stat().st_mtime_ns for path in paths]
    assert freeze(call, ann_file, out).code == 0  # the same again: left alone
    assert [path.stat().st_mtime_ns for path in paths] == times
    paths[0].unlink()
    outcome = freeze(call, ann_file, out, '--episodes-per-category', '4')
    assert outcome.code == 2
    assert f'{paths[1]} exists and holds other episodes; --force' in outcome.message
    assert not paths[0].exists()  # nothing is written if something is in the way
    assert paths[1].read_bytes() == before[1]
    more = ('--episodes-per-category', '4', '--force')
    assert freeze(call, ann_file, out, *more).code == 0
    assert len(read_frozen_episodes(paths[1]).episodes) == 8
    assert sorted(out.iterdir()) == paths  # no temporary file is left


def check(outcome, *fragments):
    assert outcome.code == 2
    for fragment in fragments:
        assert fragment in outcome.message


def test_bad_input_is_one_message(call, ann_file, tmp_path):
    out = tmp_path / 'out'
    check(call('freeze_episodes'), 'name a config or --ann-file')
    check(freeze(call, tmp_path / 'no_test.json', out), 'annotation file not found')
    check(freeze(call, ann_file, out, '--num-shots', '0'), 'at least 1')
    check(freeze(call, ann_file, out, '--num-shots', '50'), 'an episode needs')
    few = freeze(call, ann_file, out, '--episodes-per-category', '0')
    check(few, 'episodes_per_category must be a whole number, at least 1, got 0')
    check(freeze(call, ann_file, out, '--subset', 'val'), 'change a config: name one')
    check(freeze(call, ann_file, tmp_path / 'a.json'), 'is one file, but 2 draws')
    occupied = tmp_path / 'occupied'
    occupied.write_text('a file')
    check(freeze(call, ann_file, occupied), '--out: ')
    (tmp_path / 'folder.json').mkdir()
    one = ('--num-shots', '1')
    check(freeze(call, ann_file, tmp_path / 'folder.json', *one), '--out: ')
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
    check(run('data_root=nowhere'), 'data_root not found: nowhere')
    check(call('freeze_episodes', tmp_path / 'no.py'), 'config file', 'does not exist')


def test_frozen_episodes_are_replayed_on_partial_data(
    call, synthetic_root, checkpoint, tmp_path
):
    root = shutil.copytree(synthetic_root, tmp_path / 'data')
    options = (*FAST, f'data_root={root}')
    frozen = tmp_path / 'frozen.json'
    shots = ('--num-shots', '1', '--subset', 'test')
    assert call('freeze_episodes', TINY, '--out', frozen, *shots, *options).code == 0
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
