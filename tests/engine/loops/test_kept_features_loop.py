"""Training of a head on features that were encoded once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from episode_data import eval_pipeline
from loop_cases import count_images, read_log
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from tiny_matching import build_matching, open_gates

from cape_mm.engine.hooks import AccumulationWindowHook
from cape_mm.errors import ConfigError, InstanceLoadError

ANN_FILE = 'annotations/synthetic_split1_train.json'
MAX_INSTANCES = 5


class Spy(Hook):
    """Notes episodes, losses and inputs of every batch."""

    def __init__(self) -> None:
        self.episodes, self.losses, self.batches = [], [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.batches.append(data_batch)
        self.episodes.append([s.episode for s in data_batch['data_samples']])

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ) -> None:
        self.losses.append({k: float(torch.as_tensor(v)) for k, v in outputs.items()})


def make_runner(root: Path, work_dir: Path, model=None, epochs: int = 2) -> Runner:
    """A training of two batches of four episodes per epoch; ``runner.spy`` notes."""
    MMLogger._instance_dict.clear()
    dataset = dict(
        type='MP100EpisodeDataset',
        data_root=str(root),
        ann_file=ANN_FILE,
        pipeline=eval_pipeline((64, 64)),
    )
    sampler = dict(type='EpisodeSampler', num_shots=(1, 2), episodes_per_epoch=8)
    if model is None:
        model = build_matching()
        for weight in model.backbone.parameters():
            weight.requires_grad = False
    spy = Spy()
    runner = Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=4,
            dataset=dataset,
            sampler=sampler,
            collate_fn=dict(type='collate_episodes'),
        ),
        train_cfg=dict(
            type='KeptFeaturesTrainLoop',
            max_epochs=epochs,
            max_instances=MAX_INSTANCES,
            image_batch=3,
        ),
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=1e-2), accumulative_counts=2
        ),
        custom_hooks=[spy, AccumulationWindowHook()],
        default_scope='mmpose',
        randomness=dict(seed=0),
        experiment_name=work_dir.name,
    )
    runner.spy = spy
    return runner


def test_every_instance_passes_the_backbone_once(synthetic_root, tmp_path):
    runner = make_runner(synthetic_root, tmp_path)
    images = count_images(runner.model.backbone)
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    runner.train()
    drawn = {e.category_id for episodes in runner.spy.episodes for e in episodes}
    per_instance = len(runner.model.views) + 1
    assert sum(images) == len(drawn) * MAX_INSTANCES * per_instance
    changed = {
        name.split('.')[0]
        for name, value in runner.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {'head'}


def test_a_batch_is_of_one_category_and_number_of_shots(synthetic_root, tmp_path):
    runner = make_runner(synthetic_root, tmp_path, epochs=6)
    runner.train()
    kinds = []
    for episodes in runner.spy.episodes:
        (kind,) = {(e.category_id, len(e.support_ids)) for e in episodes}
        kinds.append(kind)
    assert len({category for category, _ in kinds}) == 3
    assert {shots for _, shots in kinds} == {1, 2}


def test_the_losses_are_those_of_the_images(synthetic_root, tmp_path):
    """Of the first batch, before any update; features are kept in half precision."""
    runner = make_runner(synthetic_root, tmp_path, epochs=1)
    open_gates(runner.model.head)
    model = runner.model
    start = {k: v.clone() for k, v in model.state_dict().items()}
    states = []
    forward = model.loss

    def noted(*args):
        states.append(torch.get_rng_state())
        return forward(*args)

    model.loss = noted
    runner.train()
    model.load_state_dict(start)
    loader = runner.train_dataloader
    batch = loader.collate_fn([loader.dataset[e] for e in runner.spy.episodes[0]])
    prepared = model.data_preprocessor(batch, True)
    torch.set_rng_state(states[0])
    expected = forward(prepared['inputs'], prepared['data_samples'])
    for name, value in expected.items():
        assert runner.spy.losses[0][name] == pytest.approx(float(value), rel=2e-2)


def test_learning_backbone_is_refused(synthetic_root, tmp_path):
    model = build_matching()
    for weight in model.backbone.parameters():
        weight.requires_grad = True
    runner = make_runner(synthetic_root, tmp_path, model)
    with pytest.raises(ConfigError, match='trains the head alone, but backbone learns'):
        runner.train()


def test_for_a_picture_that_cannot_be_read_another_is_drawn(own_root, tmp_path):
    runner = make_runner(own_root, tmp_path / 'run', epochs=6)
    runner.train_loop.max_instances = 100
    dataset = runner.train_dataloader.dataset
    bad = dataset.index.instances[0]
    Path(dataset.image_path(bad)).write_bytes(b'no picture')
    runner.train()
    assert f'instances of category {bad.category_id} ' in read_log(tmp_path / 'run')
    episodes = [episode for batch in runner.spy.episodes for episode in batch]
    assert len(episodes) == 6 * 8
    assert any(episode.category_id == bad.category_id for episode in episodes)
    used = {i for e in episodes for i in e.support_ids + e.query_ids}
    assert bad.ann_id not in used


def test_a_category_that_cannot_be_read_is_named(own_root, tmp_path):
    runner = make_runner(own_root, tmp_path / 'run')
    for path in (own_root / 'images').rglob('*.jpg'):
        path.write_bytes(b'no picture')
    with pytest.raises(InstanceLoadError, match='too many instances of category'):
        runner.train()
