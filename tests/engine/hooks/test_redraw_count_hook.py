"""Redrawn instances are counted per epoch, also through the loader's workers."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
from episode_data import load_batches, open_tree
from mmengine.logging import MessageHub
from tool_calls import FAST, TINY, ToolCaller

from cape_mm.datasets import EpisodeSampler, collate_episodes
from cape_mm.engine.hooks import RedrawCountHook
from cape_mm.models import CAPE


class Log:
    def __init__(self):
        self.lines = []
        self.warning = self.lines.append


@pytest.mark.parametrize('num_workers', [0, 2])
def test_counts_by_reason_and_category(coco_tree, num_workers):
    ids = coco_tree.fill(1, num_images=6)
    coco_tree.fill(2, num_images=6, num_keypoints=5)
    dataset = open_tree(coco_tree, train=True)
    sampler = EpisodeSampler(dataset, num_shots=1, num_queries=2, episodes_per_epoch=24)
    episodes = list(sampler)
    coco_tree.image_path(1).unlink()
    coco_tree.image_path(8).write_bytes(b'no picture')
    gone = [ids[0], coco_tree.content['annotations'][7]['id']]
    hub, log = MessageHub.get_instance(f'redraws{num_workers}'), Log()
    runner = SimpleNamespace(message_hub=hub, logger=log, epoch=2)
    hook = RedrawCountHook()
    hook.before_train_epoch(runner)
    batches = load_batches(dataset, sampler, num_workers, collate_episodes)
    for i, batch in enumerate(batches):
        hook.after_train_iter(runner, i, batch)
    hook.after_train_epoch(runner)
    samples = [sample for batch in batches for sample in batch['data_samples']]
    counted = [entry['ann_id'] for sample in samples for entry in sample.redrawn]
    drawn = [i for e in episodes for i in (*e.support_ids, *e.query_ids)]
    at_least = [drawn.count(ann_id) for ann_id in gone]  # stand-ins can be gone too
    assert all(counted.count(i) >= n > 0 for i, n in zip(gone, at_least))
    first, second = (counted.count(ann_id) for ann_id in gone)
    assert hub.get_scalar('train/redrawn').current() == first + second
    (line,) = log.lines
    assert f'epoch 3: {first + second} instances of 24 episodes were redrawn' in line
    assert f'{first} image not found' in line
    assert f'{second} image does not decode' in line
    assert f'1 (cat1) {first}' in line
    hook.before_train_epoch(runner)
    hook.after_train_epoch(runner)  # nothing to say
    assert len(log.lines) == 1


@pytest.fixture
def vanish(monkeypatch, capfd, synthetic_root, tmp_path):
    """Trains; after the first loss, some images of a category vanish, or all."""
    root = shutil.copytree(synthetic_root, tmp_path / 'data')
    folders = sorted({path.parent for path in (root / 'images').rglob('*.jpg')})
    real = CAPE.loss

    def run(num_left: int):
        def loss(model, inputs, samples):
            for folder in folders:
                for path in sorted(folder.glob('*.jpg'))[num_left:]:
                    path.unlink()
            return real(model, inputs, samples)

        monkeypatch.setattr(CAPE, 'loss', loss)
        call = ToolCaller(monkeypatch, capfd)
        arguments = ('train', TINY, '--work-dir', tmp_path / 'w', '--no-validate')
        return call(*arguments, *FAST, f'data_root={root}'), folders

    return run


def test_image_folder_that_vanishes_during_a_run_stops_it(vanish):
    outcome, folders = vanish(0)
    assert outcome.code == 2, outcome.err
    assert 'can not complete an episode of 2 instances any more' in outcome.message
    assert 'image not found' in outcome.message
    assert any(str(folder) in outcome.message for folder in folders)


def test_some_images_that_vanish_do_not_stop_it(vanish, tmp_path):
    outcome, _ = vanish(3)
    assert outcome.code == 0, outcome.err
    assert 'instances of 6 episodes were redrawn within their category' in outcome.out
    assert (tmp_path / 'w/epoch_2.pth').is_file()
