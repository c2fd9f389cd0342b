"""Every config says what it is, holds the recipe's numbers, and builds and learns."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping

import pytest
from config_models import (
    CONFIG_DIR,
    build_model,
    check_frozen_statistics,
    check_learning_rates,
    check_step,
    find_configs,
    read_config,
)
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import FUNCTIONS, Registry
from mmpose import registry as mmpose_registry
from tiny_cape import make_episode, predict

from cape_mm.apis.config_options import main_datasets
from cape_mm.datasets.splits import files_of_config

FOLDERS = ('', 'ablations', 'backbones', 'comparison', 'cross_category', 'peers')
CONFIGS = [name for folder in FOLDERS for name in find_configs(folder)]
LAYOUT = ['cape_lite0', 'cape_lite2', 'cape_tiny']
COMPARED = [f'comparison/lite0_{name}' for name in ('capeformer', 'graphcape')]
REAL = [*LAYOUT, *COMPARED, 'matching_lite0']
"""Those for photographs, on a frozen backbone."""

PEERS = find_configs('peers')
"""Published methods with their own recipe."""

RECIPES = ['cape_mp100', 'cape_mp100_5shot']
COARSEST = {'neck.fpn_convs.2.conv.weight', 'neck.fpn_convs.2.conv.bias'}
"""Of these the support tokens are the only reader."""

UNKNOWN = {'head.decoder.unknown'}
"""Learns from hidden history only."""

QUESTION = {
    'head.decoder.question_feature.weight',
    'head.decoder.question_feature.bias',
}
BLIND = {'keypoint_tokens.project.0.weight'}
IDLE = {
    'cape_mp100_two_encoders': COARSEST,
    'ablations/two_encoders': COARSEST,
    'ablations/no_support_image': COARSEST | BLIND,
    'cape_mp100_template': COARSEST | BLIND,
    'ablations/no_prefix_mix': UNKNOWN,
    'ablations/teacher_forced_ar': QUESTION | UNKNOWN,
}
"""Parameters that learn nothing, by config."""

REGISTRIES = [
    *(thing for thing in vars(mmpose_registry).values() if isinstance(thing, Registry)),
    FUNCTIONS,
]

every_config = pytest.mark.parametrize('name', CONFIGS)


def find_types(node: object) -> Iterator[str]:
    """Every ``type`` in a config."""
    if isinstance(node, Mapping):
        if 'type' in node:
            yield node['type']
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from find_types(value)


@every_config
def test_every_type_is_registered(name):
    kinds = set(find_types(read_config(name).to_dict()))
    assert len(kinds) > 20
    assert not [kind for kind in kinds if not any(r.get(kind) for r in REGISTRIES)]


@every_config
def test_lab_card(name):
    """The docstring says how to run it and what came out."""
    card = ast.get_docstring(ast.parse((CONFIG_DIR / f'{name}.py').read_text()))
    assert 'Run: ' in card
    if name == 'cape_tiny':  # its result is printed by `make demo`, not recorded
        assert 'make demo' in card
    else:
        tool = 'test' if name.startswith('matching') else 'train'
        assert f'python tools/{tool}.py configs/{name}.py' in card
        assert 'Result:' in card


@pytest.mark.parametrize(
    'name', [name for name in CONFIGS if name not in (*REAL, *PEERS)]
)
def test_episodes_and_accumulation(name):
    cfg = read_config(name)
    is_small = name == 'cape_tiny_scratch'
    assert cfg.optim_wrapper.accumulative_counts == (2 if is_small else 4)
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    assert cfg.optim_wrapper.clip_grad.max_norm > 0
    assert {hook.type for hook in cfg.custom_hooks} >= {
        'AccumulationWindowHook',
        'TrainingBannerHook',
        'ResourceHook',
    }
    is_validated = not name.startswith('cross_category')
    for loader in ('train', *(['val'] if is_validated else []), 'test'):
        sampler = cfg[f'{loader}_dataloader'].sampler
        shots = 5 if name.endswith('5shot') else 1
        is_drawn = loader == 'train' and name.endswith('anyshot')
        assert sampler.num_shots == ((1, 5) if is_drawn else shots)
        kind = 'EpisodeSampler' if loader == 'train' else 'FixedEpisodeSampler'
        assert sampler.type == kind
        given = cfg[f'{loader}_dataloader'].dataset
        (dataset,) = main_datasets(given)
        assert dataset.data_root == cfg.data_root
        subset = loader if is_validated else ('train', 'val', 'test')
        expected = files_of_config(
            dict(ann_file=cfg.get(f'{loader}_ann_file'), split=1, subset=subset)
        )
        assert files_of_config(dataset) == expected
        assert bool(given.get('test_mode')) == (loader != 'train')
        if loader != 'train':
            kinds = [transform.type for transform in dataset.pipeline]
            assert not any('Random' in kind or 'Flip' in kind for kind in kinds)


@pytest.mark.parametrize('name', RECIPES)
def test_recipe_of_mp100(name):
    cfg = read_config(name)
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.optim_wrapper.optimizer.lr == 1e-4
    assert cfg.model.backbone.norm_eval is True
    assert files_of_config(cfg.train_dataloader.dataset) == (
        'annotations/mp100_split1_train.json',
    )
    original = Config.fromfile(CONFIG_DIR / f'{name}.py').model.backbone
    assert original.init_cfg.checkpoint == 'torchvision://resnet50'
    for loader, draws in (('val', 100), ('test', 200)):
        sampler = cfg[f'{loader}_dataloader'].sampler
        assert (sampler.episodes_per_category, sampler.num_queries) == (draws, 15)
        assert sampler.distinct_images is False
        crop = next(
            transform
            for transform in cfg[f'{loader}_dataloader'].dataset.pipeline
            if transform.type == 'InstanceCrop'
        )
        assert crop.padding == 1.25


@pytest.mark.parametrize('name', REAL)
def test_sources_of_real_photographs(name):
    cfg = read_config(name)
    generated = 'annotations/synthetic_split1_{}.json'.format
    training = cfg.train_dataloader.dataset
    (first, *others) = main_datasets(training)
    assert files_of_config(first) == (generated('train'),)
    for source in others:
        assert files_of_config(source) == ('annotations/realcape_train.json',)
    tested = ('annotations/realcape_val.json', 'annotations/realcape_test.json')
    if name == 'cape_tiny':
        tested = (generated('test'),)
    for loader, files in dict(val=(generated('val'),), test=tested).items():
        given = cfg[f'{loader}_dataloader']
        assert given.dataset.test_mode and files_of_config(given.dataset) == files
        kinds = [transform.type for transform in given.dataset.pipeline]
        assert not any('Random' in kind or 'Flip' in kind for kind in kinds)
    sampler = cfg.test_dataloader.sampler
    figures = (sampler.episodes_per_category, sampler.num_queries, sampler.draw_seed)
    assert figures == ((10, 15, 0) if name == 'cape_tiny' else (60, 5, 0))
    sizes = {
        tuple(transform.input_size)
        for loader in ('train', 'val', 'test')
        for transform in cfg[f'{loader}_dataloader'].dataset.pipeline
        if transform.type == 'WarpInstance'
    }
    ((width, height),) = sizes
    assert width == height  # images are turned


def test_categories_of_real_photographs(shared_data):
    """They are there, and some are left to set the confidence with."""
    path = shared_data / 'realcape/annotations/realcape_train.json'
    if not path.exists():
        pytest.skip(f'no {path}')
    known = {item['name'] for item in json.loads(path.read_text())['categories']}
    _, photographs = read_config('cape_lite2').train_dataloader.dataset.sources
    assert set(photographs.exclude_categories) < known


@pytest.mark.parametrize('name', LAYOUT)
def test_layout_learns_and_predicts(name):
    """Gates take the whole rate, the two small networks less; the backbone none."""
    cfg = read_config(name)
    model = build_model(cfg)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    groups = wrapper.param_groups
    rates = {id(p): group['lr'] for group in groups for p in group['params']}
    lr = cfg.optim_wrapper.optimizer.lr
    for key, parameter in model.named_parameters():
        if key.startswith('backbone.'):
            assert not parameter.requires_grad and id(parameter) not in rates
            continue
        part = key.split('.')[1]
        expected = lr * dict(pointer=0.15, confidence=0.3).get(part, 1.0)
        assert rates[id(parameter)] == pytest.approx(expected), key
    check_frozen_statistics(model)
    # among many queries some have a candidate to settle from
    check_step(cfg, model, idle=set(), num_queries=8)


def test_the_matcher_predicts():
    model = build_model(read_config('matching_lite0'))
    assert not list(model.head.parameters())
    (found,) = predict(model, [make_episode(num_queries=2)], 'parallel')
    assert found.keypoints.shape == (2, 5, 2)


LEARNING = [
    name for name in (*find_configs(), *find_configs('ablations')) if name not in REAL
]


@pytest.mark.parametrize('name', LEARNING)
def test_model_learns_and_predicts(name):
    """Those with other backbones: test_backbones.py."""
    cfg = read_config(name)
    model = build_model(cfg)
    check_learning_rates(model, cfg)
    check_frozen_statistics(model)
    check_step(cfg, model, IDLE.get(name, set()))


@pytest.mark.parametrize('name', PEERS)
def test_peers_have_the_published_recipe(name):
    """Batches of 16 pairs, Adam 1e-5 for all, steps at 160 and 180 of 200 epochs."""
    cfg = read_config(name)
    episodes = cfg.train_dataloader
    wrapper = cfg.optim_wrapper
    assert episodes.batch_size * wrapper.accumulative_counts == 16
    assert (episodes.sampler.num_shots, episodes.sampler.num_queries) == (1, 1)
    assert wrapper.optimizer == dict(type='Adam', lr=1e-5)
    assert 'paramwise_cfg' not in wrapper
    warmup, steps = cfg.param_scheduler
    assert (warmup.start_factor, warmup.end) == (0.001, 1000 * 4)
    assert (steps.milestones, steps.gamma) == ([160, 180], 0.1)
    assert cfg.train_cfg.max_epochs == 200
    assert cfg.test_dataloader.sampler.episodes_per_category == 200
    sigma = cfg.model.head.get('heatmap_sigma')
    assert sigma is None  # 2 and 1, by the heads


@pytest.mark.parametrize(
    'name',
    [name for name in (*PEERS, *find_configs('comparison')) if 'swinv2' not in name],
)
def test_peers_learn_and_predict(name):
    """Smaller pictures; with SwinV2: test_peer_checkpoint.py."""
    cfg = read_config(name)
    cfg.model.head.input_size = 64
    model = build_model(cfg)
    check_learning_rates(model, cfg)
    check_frozen_statistics(model)
    check_step(cfg, model, idle=set())
