"""Bad input as a user meets it: one clear message, a non-zero exit, no long work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tool_calls import FAST, REPO, TINY, Outcome

SPLIT_FILE = 'annotations/synthetic_split1_{}.json'


@pytest.fixture
def root(synthetic_root, tmp_path) -> Path:
    """A copy of the tiny data set, to damage."""
    return shutil.copytree(synthetic_root, tmp_path / 'data')


@pytest.fixture
def train(call, root, tmp_path) -> Callable[..., Outcome]:
    """Trains for two epochs of three iterations on the copy."""
    arguments = ('train', TINY, '--work-dir', tmp_path / 'w', *FAST)
    return lambda *options: call(*arguments, f'data_root={root}', *options)


@pytest.fixture
def test(call, root, tmp_path, checkpoint) -> Callable[..., Outcome]:
    """Tests the untrained weights on the copy."""

    def run(*options: str, path: Path = checkpoint) -> Outcome:
        arguments = ('test', TINY, path, '--work-dir', tmp_path / 'w', *FAST)
        return call(*arguments, f'data_root={root}', *options)

    return run


def edit(root: Path, split: str, change: Callable[[dict], None]) -> Path:
    """Change the content of an annotation file."""
    path = root / SPLIT_FILE.format(split)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def images_of(root: Path, split: str) -> dict[int, list[Path]]:
    """Image files by category."""
    content = json.loads((root / SPLIT_FILE.format(split)).read_text())
    names = {image['id']: image['file_name'] for image in content['images']}
    paths: dict[int, set[Path]] = {}
    for ann in content['annotations']:
        path = root / 'images' / names[ann['image_id']]
        paths.setdefault(ann['category_id'], set()).add(path)
    return {category_id: sorted(found) for category_id, found in paths.items()}


def check(outcome: Outcome, *fragments: str) -> None:
    """One message that says all this, and nothing was trained or tested."""
    assert outcome.code == 2
    for fragment in fragments:
        assert fragment in outcome.message
    assert len(outcome.message.strip().splitlines()) <= 10
    assert 'Epoch(' not in outcome.out


def test_recipe_without_mp100(call, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for config in ('cape_mp100', 'cape_mp100_5shot'):
        outcome = call('train', REPO / f'configs/{config}.py')
        check(
            outcome,
            "data root 'data/mp100' does not exist",
            'data/mp100/\n    annotations/mp100_split1_train.json\n    images/',
            'docs/mp100.md',
            'data_root=',
            '`make demo`',
        )
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize(
    ('text', 'fragments'),
    [
        ('keypoints: 3', ['is not a JSON file', 'line 1']),
        ('', ['is not a JSON file']),
        ('{"shapes": []}', ['is not a COCO keypoint file', 'annotations', 'shapes']),
        ('[]', ['is not a COCO file', 'it holds a list instead of an object']),
    ],
)
def test_annotation_file_of_another_kind(train, root, text, fragments):
    path = root / SPLIT_FILE.format('train')
    path.write_text(text)
    check(train(), str(path), *fragments)


def test_category_with_too_few_instances(train, root):
    def keep_two(content: dict) -> None:
        first = content['categories'][0]['id']
        ours = [a for a in content['annotations'] if a['category_id'] == first]
        others = [a for a in content['annotations'] if a['category_id'] != first]
        content['annotations'] = others + ours[:2]

    path = edit(root, 'train', keep_two)
    outcome = train('train_dataloader.sampler.num_queries=3')
    check(outcome, str(path), 'has 2 ', 'num_shots', 'num_queries', 'Lower one')


def test_corrupt_image_in_training_is_redrawn(train, root, tmp_path):
    for paths in images_of(root, 'train').values():
        for path in paths[:3]:
            path.write_bytes(b'no picture')
    outcome = train()
    assert outcome.code == 0, outcome.err
    assert 'redrawn within its category' in outcome.out
    assert '.jpg' in outcome.out
    assert (tmp_path / 'w/epoch_2.pth').is_file()


@pytest.mark.parametrize('num_damaged', [3, None])
def test_corrupt_images_in_a_test_are_dropped_and_counted(
    test, root, tmp_path, num_damaged
):
    damaged, whole = images_of(root, 'test')
    for path in images_of(root, 'test')[damaged][:num_damaged]:
        path.write_bytes(b'no picture')
    outcome = test()
    assert outcome.code == 0, outcome.err
    metrics = json.loads((tmp_path / 'w/metrics.json').read_text())
    assert metrics['num_pairs'] + metrics['num_pairs_dropped'] == 8
    assert metrics['num_pairs_dropped'] > 0
    if num_damaged is None:
        assert metrics['num_pairs_dropped'] == 4
        assert sum(metrics['dropped_by_reason'].values()) == 4
    assert 'does not decode' in str(metrics['dropped_by_reason'])


def test_all_images_of_a_category_gone_in_training(train, root, tmp_path):
    gone = images_of(root, 'train').popitem()[1]
    for path in gone:
        path.unlink()
    outcome = train()
    check(outcome, '0 usable instances', 'the image files of', 'more are missing')
    assert f'{gone[0].parent.name} {len(gone)} of {len(gone)}' in outcome.out
    assert not (tmp_path / 'w/epoch_1.pth').exists()


def test_all_images_gone(train, test, root):
    for split, run in (('train', train), ('test', test)):
        paths = [path for found in images_of(root, split).values() for path in found]
        for path in paths:
            path.unlink()
        check(run(), 'none of the', str(root / 'images'), str(paths[0].parent.parent))


@pytest.mark.parametrize(
    ('option', 'owner'),
    [
        ('train_dataloader.dataset.anno_file=a.json', ': MP100EpisodeDataset'),
        ('train_dataloader.sampler.num_shot=5', ': EpisodeSampler'),
        ('train_dataloader.dataset.pipeline.1.paddding=2', ': InstanceCrop'),
        ('model.head.num_layer=3', ''),
        ('model.embed_dim=3', ': '),
    ],
)
def test_unknown_key(train, option, owner):
    place, key = option.split('=')[0].rsplit('.', 1)
    fragment = f'{place}.{key}{owner}' if owner else f'{place}: '
    check(train(option), fragment, f"unexpected keyword argument '{key}'")


@pytest.mark.parametrize(
    ('option', 'fragments'),
    [
        ('head.prefix_mix.foo=1', ["prefix_mix has no option 'foo'", 'truth_prob']),
        ('head.num_heads=5', ['embed_dims 16 is no multiple of num_heads 5']),
        ('backbone.norm_cfg.foo=1', ["unexpected keyword argument 'foo'"]),
        ('data_preprocessor.std=(1,0,1)', ['every std must be']),
    ],
)
def test_wrong_value_in_the_model(train, option, fragments):
    part = f'model.{option.split(".")[0]}'
    check(train(f'model.{option}'), part, *fragments)


def test_unknown_way_of_prediction(train, test):
    fragments = ("'parallel', 'ar', 'ar+refine'", "got 'fast'")
    check(train('model.test_cfg.mode=fast'), *fragments)
    check(test('model.test_cfg.mode=fast'), *fragments)
