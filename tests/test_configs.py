"""Every config says what it is, holds the recipe's numbers, and builds and learns."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.optim import build_optim_wrapper
from mmengine.registry import FUNCTIONS, RUNNERS, WEIGHT_INITIALIZERS, Registry
from mmpose import registry as mmpose_registry
from mmpose.registry import MODELS
from tiny_cape import make_episode, prepare
from torch.nn.modules.batchnorm import _BatchNorm

from cape_mm.apis import load_config

CONFIG_DIR = Path(__file__).resolve().parents[1] / 'configs'
CONFIGS = sorted(path.stem for path in CONFIG_DIR.glob('*.py'))
RECIPES = ['cape_mp100', 'cape_mp100_5shot']

REGISTRY_NAMES = dict(
    model='MODELS',
    train_pipeline='TRANSFORMS',
    test_pipeline='TRANSFORMS',
    pipeline='TRANSFORMS',
    dataset='DATASETS',
    sampler='DATA_SAMPLERS',
    val_evaluator='METRICS',
    test_evaluator='METRICS',
    optim_wrapper='OPTIM_WRAPPERS',
    optimizer='OPTIMIZERS',
    param_scheduler='PARAM_SCHEDULERS',
    default_hooks='HOOKS',
    custom_hooks='HOOKS',
    vis_backends='VISBACKENDS',
    visualizer='VISUALIZERS',
    log_processor='LOG_PROCESSORS',
)
REGISTRIES = {k: getattr(mmpose_registry, v) for k, v in REGISTRY_NAMES.items()}
REGISTRIES |= dict(init_cfg=WEIGHT_INITIALIZERS, collate_fn=FUNCTIONS)
"""Registry of a ``type``: that of the nearest of these keys around it."""

every_config = pytest.mark.parametrize('name', CONFIGS)


def read(name: str) -> Config:
    """A config without the weights that would have to be downloaded."""
    cfg = load_config(CONFIG_DIR / f'{name}.py')
    cfg.model.backbone.init_cfg = None
    return cfg


def find_types(node: object, registry: Registry) -> Iterator[tuple[str, Registry]]:
    """Every ``type`` in a config, with the registry that has to know it."""
    if isinstance(node, Mapping):
        if 'type' in node:
            yield node['type'], registry
        for key, value in node.items():
            # a hook is entered under a name of its own, such as 'param_scheduler'
            is_hook = registry is REGISTRIES['default_hooks']
            yield from find_types(
                value, registry if is_hook else REGISTRIES.get(key, registry)
            )
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from find_types(value, registry)


def flatten(node: object, prefix: str = '') -> dict[str, object]:
    """Leaves of a config by dotted name; a list is a leaf."""
    if not isinstance(node, Mapping):
        return {prefix[:-1]: node}
    leaves: dict[str, object] = {}
    for key, value in node.items():
        leaves |= flatten(value, f'{prefix}{key}.')
    return leaves


def own_leaves(name: str) -> tuple[dict[str, object], dict[str, object]]:
    """What a config file itself sets, and what its bases had set."""
    own = runpy.run_path(str(CONFIG_DIR / f'{name}.py'))
    own = {k: v for k, v in own.items() if not k.startswith('__')}
    bases = own.pop('_base_')
    merged = Config()
    for base in [bases] if isinstance(bases, str) else bases:
        merged.merge_from_dict(Config.fromfile(CONFIG_DIR / base).to_dict())
    return flatten(own), flatten(merged.to_dict())


@every_config
def test_every_type_is_registered(name):
    types = list(find_types(read(name).to_dict(), RUNNERS))
    unknown = [kind for kind, registry in types if registry.get(kind) is None]
    assert len(types) > 30
    assert not unknown


@every_config
def test_lab_card(name):
    """The docstring says how to run it and what came out."""
    card = ast.get_docstring(ast.parse((CONFIG_DIR / f'{name}.py').read_text()))
    assert 'Run: ' in card
    if name == 'cape_tiny':  # its result is printed by `make demo`, not recorded
        assert 'make demo' in card
    else:
        assert f'python tools/train.py configs/{name}.py' in card
        assert 'Result:' in card


@every_config
def test_a_variant_contains_only_what_differs(name):
    own, base = own_leaves(name)
    same = {key for key, value in own.items() if key in base and value == base[key]}
    assert not same


@every_config
def test_episodes_and_accumulation(name):
    cfg = read(name)
    assert cfg.optim_wrapper.accumulative_counts == 4
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    assert cfg.optim_wrapper.clip_grad.max_norm > 0
    assert {hook.type for hook in cfg.custom_hooks} >= {
        'AccumulationWindowHook',
        'TrainingBannerHook',
        'ResourceHook',
    }
    for loader in ('train', 'val', 'test'):
        sampler = cfg[f'{loader}_dataloader'].sampler
        assert sampler.num_shots == (5 if name.endswith('5shot') else 1)
        assert sampler.mode == ('train' if loader == 'train' else 'eval')
        dataset = cfg[f'{loader}_dataloader'].dataset
        assert dataset.data_root == cfg.data_root
        assert dataset.ann_file == cfg[f'{loader}_ann_file']
        assert bool(dataset.get('test_mode')) == (loader != 'train')
    pipelines = [cfg[f'{x}_dataloader'].dataset.pipeline for x in ('val', 'test')]
    assert not any('Random' in t.type or 'Flip' in t.type for p in pipelines for t in p)


@pytest.mark.parametrize('name', RECIPES)
def test_recipe_of_mp100(name):
    cfg = read(name)
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.optim_wrapper.optimizer.lr == 1e-4
    assert cfg.model.backbone.norm_eval is True
    assert cfg.train_ann_file == 'annotations/mp100_split1_train.json'
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


def test_five_shots_differ_from_one_in_nothing_else():
    one, five = (flatten(read(name).to_dict()) for name in RECIPES)
    assert five.keys() == one.keys()
    loaders = ('train', 'val', 'test')
    expected = {f'{loader}_dataloader.sampler.num_shots' for loader in loaders}
    assert {key for key in five if five[key] != one[key]} == expected


def build(cfg: Config) -> BaseModule:
    """The config's model, with no weight at zero."""
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    for parameter in model.parameters():
        if not parameter.any():  # a zero stops the gradient of what lies before it
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def check_learning_rates(model: BaseModule, cfg: Config) -> None:
    """The backbone's rate is a tenth where it has pretrained weights."""
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    lr = cfg.optim_wrapper.optimizer.lr
    is_pretrained = bool(cfg.optim_wrapper.paramwise_cfg)
    rates = {id(p): g['lr'] for g in wrapper.param_groups for p in g['params']}
    for parameter_name, parameter in model.named_parameters():
        is_slow = is_pretrained and parameter_name.startswith('backbone.')
        expected = lr * (0.1 if is_slow else 1.0)
        assert rates[id(parameter)] == pytest.approx(expected), parameter_name


def check_frozen_statistics(model: BaseModule) -> None:
    """In training mode no BatchNorm uses the statistics of a micro-batch."""
    model.train()
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    assert not any(norm.training for norm in norms)


@every_config
def test_model_learns_and_predicts(name):
    cfg = read(name)
    model = build(cfg)
    check_learning_rates(model, cfg)
    check_frozen_statistics(model)
    num_shots = cfg.train_dataloader.sampler.num_shots
    items = [make_episode(i, 5 + i, num_shots, num_queries=2) for i in range(2)]

    losses = model(**prepare(model, items), mode='loss')
    sum(losses.values()).backward()
    assert all(key.startswith('loss_') for key in losses)
    idle = [
        n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert not idle

    model.eval()
    samples = model(**prepare(model, items), mode='predict')
    for i, sample in enumerate(samples):
        points = sample.pred_instances.keypoints_orig
        assert points.shape == (2, 5 + i, 2)
        assert torch.isfinite(points).all()
