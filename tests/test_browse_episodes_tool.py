"""The tool that draws episodes, from end to end and with input that can't work."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from tool_calls import REPO, TINY, Outcome, ToolCaller

from cape_mm.apis.config_loading import load_config
from cape_mm.data_tools import browsing

SPLITS = ('train', 'val', 'test')
AUGMENTED = REPO / 'configs/cape_mp100_augmented.py'


@pytest.fixture
def call(monkeypatch, capfd, synthetic_root):
    """Calls the tool on the synthetic data with the demo's config."""
    tool = ToolCaller(monkeypatch, capfd)

    def run(*arguments: str | Path, options: tuple[str, ...] = ()) -> Outcome:
        few = [
            f'data_root={synthetic_root}',
            'val_dataloader.sampler.num_queries=3',
            'test_dataloader.sampler.num_queries=3',
        ]
        command = [TINY, *arguments, '--cfg-options', *few, *options]
        return tool('browse_episodes', *command)

    return run


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize('split', SPLITS)
def test_every_split(call, tmp_path, split):
    outcome = call('--split', split, '--num', '3', '--out', tmp_path / 'out')
    assert outcome.code == 0, outcome.err
    assert f'contact sheet: {tmp_path}/out/{split}_sheet_01.png' in outcome.out
    assert '3 episodes, a file each' in outcome.out
    names = file_names(tmp_path / 'out')
    assert len([n for n in names if n.startswith(f'{split}_episode_')]) == 3
    assert len(names) == 4
    for name in names:
        assert cv2.imread(str(tmp_path / 'out' / name)).std() > 10


def test_evaluation_shows_every_category_before_any_twice(call, tmp_path):
    call('--split', 'test', '--num', '4', '--out', tmp_path)
    names = [n for n in file_names(tmp_path) if 'episode' in n]
    categories = [n.split('category')[1] for n in names]
    assert sorted(map(categories.count, set(categories))) == [2, 2]


def test_training_episodes_are_those_of_the_run(call, synthetic_root, tmp_path):
    """The seed is the config's: the first episodes of the first epoch."""
    call('--num', '2', '--out', tmp_path)
    cfg = load_config(TINY, {'data_root': str(synthetic_root)})
    with browsing.DefaultScope.overwrite_default_scope('mmpose'):
        sampler = browsing.build_loader(cfg, 'train').sampler
    episodes = [episode for _, episode in zip(range(2), sampler)]
    drawn = [n for n in file_names(tmp_path) if 'episode' in n]
    assert drawn == [
        f'train_episode_{e.index:05d}_category{e.category_id}.png' for e in episodes
    ]


def test_category_by_id_and_by_name(call, tmp_path, synthetic_root):
    cfg = load_config(TINY, {'data_root': str(synthetic_root)})
    with browsing.DefaultScope.overwrite_default_scope('mmpose'):
        known = browsing.build_loader(cfg, 'train').dataset.categories
    first, second, _ = known.values()
    for word in (str(first.id), first.name):
        assert browsing.find_categories([known], [word]) == [[first.id]]
    call('--num', '6', '--category', str(first.id), second.name, '--out', tmp_path)
    names = [n for n in file_names(tmp_path) if 'episode' in n]
    drawn = {int(n.split('category')[1].removesuffix('.png')) for n in names}
    assert drawn == {first.id, second.id} and len(names) == 6


def test_augmented_config_draws_every_augmentation(call, tmp_path, synthetic_root):
    """Also through the real collate, with probabilities of one."""
    cfg = load_config(AUGMENTED)
    kinds = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    wanted = {'RandomOcclusion', 'RandomGaussianBlur'}
    assert wanted | {'EpisodeFlip'} <= set(kinds)
    options = {'data_root': str(synthetic_root)}
    for split in SPLITS:
        name = f'annotations/synthetic_split1_{split}.json'
        options[f'{split}_dataloader.dataset.ann_file'] = name
    for index, kind in enumerate(kinds):
        if kind in wanted:
            options[f'train_dataloader.dataset.pipeline.{index}.prob'] = 1.0
    browsed = browsing.browse_episodes(
        AUGMENTED, num=2, out=tmp_path, cfg_options=options
    )
    assert len(browsed.pictures) == 2


def without_images_of(root: Path, source: Path, is_kept) -> str:
    """A data root that lacks some of the folders of images; the option that sets it."""
    (root / 'images').mkdir(parents=True)
    (root / 'annotations').symlink_to(source / 'annotations')
    for folder in (source / 'images').iterdir():
        if is_kept(folder.name):
            (root / 'images' / folder.name).symlink_to(folder)
    return f'data_root={root}'


def test_episodes_without_images_are_named_and_the_rest_is_drawn(
    call, tmp_path, synthetic_root
):
    path = synthetic_root / 'annotations/synthetic_split1_test.json'
    first = json.loads(path.read_text())['images'][0]['file_name'].split('/')[0]
    option = without_images_of(
        tmp_path / 'data', synthetic_root, lambda name: name != first
    )
    out = tmp_path / 'out'
    outcome = call('--split', 'test', '--num', '4', '--out', out, options=(option,))
    assert outcome.code == 0, outcome.err
    assert outcome.out.count('not drawn: episode') == 2
    assert 'support: image not found' in outcome.out
    assert '2 episodes, a file each' in outcome.out


@pytest.mark.parametrize('blocked', ['file', 'file/below'])
def test_out_that_is_no_folder(call, tmp_path, blocked):
    (tmp_path / 'file').write_text('mine')
    outcome = call('--out', tmp_path / blocked)
    assert outcome.code == 2
    assert 'no file can be written there' in outcome.message
    assert (tmp_path / 'file').read_text() == 'mine'


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('data_root=/nowhere', "data root '/nowhere' does not exist"),
        ('train_ann_file=gone.json', 'does not exist'),
        ('train_dataloader=None', 'has no train_dataloader; it has data for val, test'),
    ],
)
def test_split_without_data(call, tmp_path, option, message):
    outcome = call('--out', tmp_path / 'out', options=(option,))
    assert outcome.code == 2
    assert message in outcome.message
    assert not (tmp_path / 'out').exists()


def test_split_of_which_no_episode_loads(call, tmp_path, synthetic_root):
    path = synthetic_root / 'annotations/synthetic_split1_test.json'
    folders = [
        i['file_name'].split('/')[0] for i in json.loads(path.read_text())['images']
    ]
    option = without_images_of(
        tmp_path / 'data', synthetic_root, lambda name: name == folders[0]
    )
    arguments = ('--split', 'test', '--out', tmp_path / 'out')
    category = json.loads(path.read_text())['categories'][-1]['id']
    outcome = call(*arguments, '--category', str(category), options=(option,))
    assert outcome.code == 2
    assert outcome.message.startswith('split test: nothing could be loaded. episode')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--num', '0'), 'num must be'),
        (('--category', 'unicorn'), 'category unicorn: no such category'),
    ],
)
def test_refusals(call, tmp_path, arguments, message):
    outcome = call(*arguments, '--out', tmp_path)
    assert outcome.code == 2
    assert message in outcome.message
