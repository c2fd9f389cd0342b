"""The training categories, evaluated as the validation is."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from episode_data import eval_pipeline, train_pipeline
from loop_cases import build_model
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.runner import Runner, ValLoop
from torch.utils.data import DataLoader

from cape_mm.datasets import EpisodeSampler, MP100EpisodeDataset, collate_episodes
from cape_mm.engine.loops.train_side_loop import spread_episodes, train_side_loop
from cape_mm.errors import ConfigError
from cape_mm.evaluation import EpisodePCK
from cape_mm.structures import Episode

ANN_FILE = 'annotations/synthetic_split1_{}.json'


def open_data(root: Path, subset: str, train: bool, **sampler) -> DataLoader:
    pipeline = train_pipeline((64, 64)) if train else eval_pipeline((64, 64))
    data = MP100EpisodeDataset(
        ANN_FILE.format(subset), data_root=str(root), pipeline=pipeline,
        test_mode=not train,
    )  # fmt: skip
    sampler = EpisodeSampler(data, mode='train' if train else 'eval', **sampler)
    return DataLoader(data, batch_size=2, sampler=sampler, collate_fn=collate_episodes)


def make_runner(
    root: Path, work_dir: Path, train_sampler: dict | None = None, **val_cfg
) -> Runner:
    """A runner that has built its loops, but trained nothing."""
    train_sampler = dict(episodes_per_epoch=4) | (train_sampler or {})
    MMLogger._instance_dict.clear()
    runner = Runner(
        model=build_model(),
        work_dir=str(work_dir),
        train_dataloader=open_data(root, 'train', True, **train_sampler),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        val_dataloader=open_data(
            root, 'val', False, num_queries=3, episodes_per_category=4
        ),
        val_cfg=dict(type='EpisodeValLoop') | val_cfg,
        val_evaluator=Evaluator(EpisodePCK()),
        default_scope='mmpose',
        experiment_name=work_dir.name,
    )
    runner.val_loop, runner.train_loop  # noqa: B018  (built on first use)
    return runner


def make_episodes(num_categories: int, each: int) -> list[Episode]:
    return [
        Episode(category_id=c, support_ids=(1,), query_ids=(2,), index=c * each + i)
        for c in range(num_categories)
        for i in range(each)
    ]


@pytest.mark.parametrize('num_episodes', [1, 3, 5, 7, 10, 12, 100])
def test_episodes_are_spread_evenly(num_episodes):
    episodes = make_episodes(5, 2)
    chosen = spread_episodes(episodes, num_episodes)
    assert len(chosen) == min(num_episodes, 10)
    assert chosen == [episode for episode in episodes if episode in chosen]
    counts = Counter(episode.category_id for episode in chosen)
    full, rest = divmod(len(chosen), 5)
    assert sorted(counts.values(), reverse=True)[:rest] == [full + 1] * rest
    assert max(counts.values()) - min(counts.values()) <= 1
    assert chosen == spread_episodes(episodes, num_episodes)


def test_as_many_fixed_episodes_of_the_training_categories(synthetic_root, tmp_path):
    runner = make_runner(synthetic_root, tmp_path)
    loop = train_side_loop(runner)
    episodes = loop.dataloader.sampler.episodes
    assert len(episodes) == len(runner.val_dataloader.sampler.episodes) == 4
    train = runner.train_dataloader.dataset
    assert {e.category_id for e in episodes} == set(train.categories)
    assert all(len(e.query_ids) == 3 and len(e.support_ids) == 1 for e in episodes)
    assert episodes == train_side_loop(runner).dataloader.sampler.episodes
    assert len(train_side_loop(runner, 2).dataloader.sampler.episodes) == 2


def test_only_what_is_trained_on(synthetic_root, tmp_path):
    """The debugging options of the training's sampler, which leave data out."""
    wanted = dict(max_categories=1, same_instance=True)
    runner = make_runner(synthetic_root, tmp_path, wanted)
    trained = list(runner.train_dataloader.sampler)[0]
    episodes = train_side_loop(runner).dataloader.sampler.episodes
    assert len(episodes) == 4
    assert {e.category_id for e in episodes} == {trained.category_id}
    assert {i for e in episodes for i in e.query_ids} == set(trained.support_ids)


def test_equals_a_validation_of_these_episodes(synthetic_root, tmp_path):
    """By MMEngine's own loop, on the training file opened for evaluation."""
    runner = make_runner(synthetic_root, tmp_path)
    loop = train_side_loop(runner)
    metrics = loop.run()
    loader = open_data(
        synthetic_root, 'train', False, num_queries=3, episodes_per_category=2
    )
    loader.sampler.episodes = loop.dataloader.sampler.episodes
    evaluator = Evaluator(EpisodePCK(num_resamples=0))
    expected = ValLoop(runner, loader, evaluator).run()
    assert metrics['num_pairs'] == 12
    assert metrics['partial'] is None
    for key in ('PCK@0.2', 'NME', 'PCK_macro@0.2', 'copy_support/PCK@0.2'):
        np.testing.assert_allclose(metrics[key], expected[key], atol=1e-5)


def test_twice_the_same_and_nothing_else_moves(synthetic_root, tmp_path):
    runner = make_runner(synthetic_root, tmp_path)
    train, val = runner.train_dataloader.dataset, runner.val_dataloader.dataset
    pipeline, plan = train.pipeline, copy.deepcopy(val.metainfo['evaluation_plan'])
    calls = []
    runner.call_hook = lambda name, **kwargs: calls.append(name)
    loop = train_side_loop(runner)
    state = torch.get_rng_state()
    first, second = loop.run(), loop.run()
    assert first['PCK@0.2'] == second['PCK@0.2']
    assert torch.equal(torch.get_rng_state(), state)
    assert not calls
    assert train.pipeline is pipeline
    assert not train.test_mode
    assert 'evaluation_plan' not in train.metainfo
    assert val.metainfo['evaluation_plan'] == plan


def test_a_model_without_stages_is_run_episode_by_episode(synthetic_root, tmp_path):
    runner = make_runner(synthetic_root, tmp_path)
    expected = train_side_loop(runner).run()
    runner.model.own_forward = runner.model.forward
    kind = type(runner.model)
    runner.model.__class__ = type(
        'Other',
        (kind,),
        dict(forward=lambda self, *a, **k: kind.forward(self, *a, **k)),
    )
    assert 'PCK@0.2' in expected
    metrics = train_side_loop(runner).run()
    np.testing.assert_allclose(metrics['PCK@0.2'], expected['PCK@0.2'], atol=1e-5)


def test_settings_are_those_of_the_validation(synthetic_root, tmp_path):
    runner = make_runner(
        synthetic_root, tmp_path, precision='bfloat16', pair_batch=5, image_batch=3
    )
    loop = train_side_loop(runner)
    assert (loop.sizes.precision, loop.sizes.pair_batch) == ('bfloat16', 5)
    assert loop.sizes.image_batch == 3
    assert 'PCK@0.2' in loop.run()


def test_data_of_another_kind(synthetic_root, tmp_path):
    runner = make_runner(synthetic_root, tmp_path)
    wrapped = SimpleNamespace(dataset=torch.utils.data.ConcatDataset([[1]]))
    fake = SimpleNamespace(
        train_dataloader=wrapped,
        val_dataloader=runner.val_dataloader,
        val_loop=runner.val_loop,
    )
    with pytest.raises(ConfigError, match='is a ConcatDataset. Switch it off: '):
        train_side_loop(fake)
