"""The loop that encodes once against MMEngine's own, on the same episodes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loop_cases import (
    ANN_FILE,
    Recorder,
    assert_same_metrics,
    assert_same_values,
    build_model,
    compare,
    count_images,
    evaluate,
    open_loader,
    read_log,
)
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from tiny_cape import EMBED_DIMS, tiny_backbone

from cape_mm.engine.loops.episode_eval_loop import check_fast
from cape_mm.errors import ConfigError
from cape_mm.evaluation import EpisodePCK
from cape_mm.models.heads import BaseHead, Prediction, ProposalHead


@pytest.mark.parametrize('mode', ['parallel', 'ar', 'ar+refine'])
@pytest.mark.parametrize('num_shots', [1, 3])
def test_equals_the_plain_loop(hidden_root, tmp_path, mode, num_shots):
    loader = open_loader(hidden_root, num_shots=num_shots)
    metrics = compare(tmp_path, build_model(mode), loader, pair_batch=4)
    assert (metrics['num_pairs'], metrics['num_pairs_dropped']) == (18, 0)


def test_the_data_hide_keypoints(hidden_root, tmp_path):
    """Without this the tests above would say nothing about masks."""
    loader = open_loader(hidden_root, num_shots=3)
    supports = [
        item['data_samples'].support_instances
        for item in map(loader.dataset.__getitem__, loader.sampler.episodes)
    ]
    visible = [part.is_visible.numpy() for part in supports]
    assert any((shots.any(axis=0) != shots.all(axis=0)).any() for shots in visible)
    assert any((~shots.any(axis=0)).any() for shots in visible)
    counts = [shots.any(axis=0).sum() for shots in visible]
    assert len(set(counts)) > 1


@pytest.mark.parametrize(
    'parts',
    [
        dict(support_backbone=tiny_backbone('gn')),
        dict(channels_last=True),
        dict(keypoint_tokens=dict(look_at_image=False)),
    ],
    ids=['two encoders', 'channels last', 'no support image'],
)
def test_any_encoder(hidden_root, tmp_path, parts):
    compare(tmp_path, build_model(**parts), open_loader(hidden_root))


class CentreHead(BaseHead):
    """Points at the brightest cell, whatever is asked for; tells no visibility.

    Args:
        has_matcher: hand out the points, moved a little, as a matcher's too.
    """

    def __init__(self, has_matcher=False):
        super().__init__()
        self.has_matcher = has_matcher

    def loss(self, context, targets):
        raise NotImplementedError

    def predict(self, context, mode):
        rows, _, height, width = context.fine_map.shape
        cells = context.fine_map[:, 0].flatten(1).argmax(dim=1)
        place = torch.stack([cells % width / width, cells // width / height], dim=-1)
        points = place[:, None].expand(rows, context.hops.shape[-1], 2)
        matched = points.flip(-1) if self.has_matcher else None
        return Prediction(points, torch.full_like(points[..., 0], 0.5), None, matched)


def test_any_head(hidden_root, tmp_path):
    model = build_model('parallel')
    model.head = ProposalHead(EMBED_DIMS)
    compare(tmp_path / 'a', model, open_loader(hidden_root))
    model.head = CentreHead()
    metrics = compare(tmp_path / 'b', model, open_loader(hidden_root))
    assert 'matching/PCK@0.2' not in metrics
    model.head = CentreHead(has_matcher=True)
    metrics = compare(tmp_path / 'c', model, open_loader(hidden_root))
    assert 0 < metrics['matching/NME'] != metrics['NME']


def test_batches_and_workers_do_not_matter(hidden_root, tmp_path):
    model = build_model()
    compare(tmp_path / 'a', model, open_loader(hidden_root, 2), image_batch=3)
    compare(tmp_path / 'b', model, open_loader(hidden_root), pair_batch=1)


def image_of(loader, ann_id):
    dataset = loader.dataset
    return dataset.image_path(dataset.index[ann_id])


def test_missing_images_drop_the_same_pairs(own_root, tmp_path):
    loader = open_loader(own_root, num_shots=2)
    first, second = loader.sampler.episodes[0], loader.sampler.episodes[4]
    for ann_id in (first.support_ids[1], second.query_ids[1]):
        with open(image_of(loader, ann_id), 'wb') as file:
            file.write(b'no image')
    metrics = compare(tmp_path, build_model(), loader, image_batch=2)
    assert metrics['num_pairs_dropped'] >= 4
    reasons = metrics['dropped_by_reason']
    assert set(reasons) == {
        'support: image does not decode',
        'query: image does not decode',
    }


@pytest.mark.parametrize('two_encoders', [False, True])
def test_every_instance_passes_the_backbone_once(hidden_root, tmp_path, two_encoders):
    own = dict(support_backbone=tiny_backbone()) if two_encoders else {}
    model = build_model(**own)
    loader = open_loader(hidden_root, episodes_per_category=20)
    sizes = [count_images(model.backbone)]
    if two_encoders:
        sizes.append(count_images(model.support_backbone))
    evaluate(tmp_path, model, loader)
    episodes = loader.sampler.episodes
    used = {i for e in episodes for i in (*e.support_ids, *e.query_ids)}
    for counted in sizes:
        assert sum(counted) == len(used) == 16
    log = read_log(tmp_path)
    assert '16 instances through the backbone once each' in log
    assert 'test: 120 pairs in ' in log


def test_half_precision(hidden_root, tmp_path):
    model, loader = build_model('parallel'), open_loader(hidden_root)
    _, exact = evaluate(tmp_path / 'a', model, loader)
    _, mixed = evaluate(tmp_path / 'b', model, loader, precision='bfloat16')
    errors = [
        mixed.samples[i]['pred_instances']['keypoints']
        - sample['pred_instances']['keypoints']
        for i, sample in exact.samples.items()
    ]
    error = torch.cat([part.abs().flatten() for part in errors])
    assert 0 < error.median() < 0.5  # of 64 pixels


def test_what_can_not_be_encoded_once_is_refused(hidden_root):
    model, loader = build_model(), open_loader(hidden_root)
    check_fast(model, loader, 'test')
    with pytest.raises(ConfigError, match="test_cfg.type='TestLoop'"):
        check_fast(torch.nn.Linear(1, 1), loader, 'test')
    loader.dataset.templates = {1: None}
    with pytest.raises(ConfigError, match="templates.*val_cfg.type='ValLoop'"):
        check_fast(model, loader, 'val')
    loader = open_loader(hidden_root)
    loader.sampler.episodes = None
    with pytest.raises(ConfigError, match='has no fixed list of episodes'):
        check_fast(model, loader, 'val')
    loader.dataset.test_mode = False
    with pytest.raises(ConfigError, match='with test_mode=True'):
        check_fast(model, loader, 'val')


class Watcher(Hook):
    """Notes what hooks are shown."""

    def __init__(self):
        self.seen = {}
        self.calls = []

    def before_test_iter(self, runner, batch_idx, data_batch=None):
        self.calls.append(('before', batch_idx))

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.calls.append(('after', batch_idx))
        inputs = data_batch['inputs']
        assert data_batch['data_samples'] is outputs
        assert len(inputs['support']) == len(inputs['query']) == len(outputs)
        for support, query, sample in zip(inputs['support'], inputs['query'], outputs):
            self.seen[sample.episode_index] = (support, query)


def test_hooks_see_the_images_of_the_plain_loop(own_root, tmp_path):
    loader = open_loader(own_root)
    with open(image_of(loader, loader.sampler.episodes[1].support_ids[0]), 'wb'):
        pass
    plain, banked = Watcher(), Watcher()
    evaluate(tmp_path / 'a', build_model(), loader, [plain], type='TestLoop')
    evaluate(tmp_path / 'b', build_model(), loader, [banked])
    assert banked.seen.keys() == plain.seen.keys() == set(range(6))
    for index, pair in plain.seen.items():
        for actual, expected in zip(banked.seen[index], pair):
            assert len(actual) == len(expected)
            if len(expected):
                assert_same_values(actual, expected, 0)
    # one batch per category
    assert banked.calls == [(w, i) for i in range(2) for w in ('before', 'after')]


def test_validation(hidden_root, tmp_path):
    model, loader = build_model(), open_loader(hidden_root)
    tested, _ = evaluate(tmp_path / 'test', model, loader)
    model.train()
    MMLogger._instance_dict.clear()
    runner = Runner(
        model=model,
        work_dir=str(tmp_path / 'val'),
        val_dataloader=loader,
        val_evaluator=Evaluator([EpisodePCK(), Recorder()]),
        val_cfg=dict(type='EpisodeValLoop', log_seconds=0, pair_batch=4),
        default_scope='mmpose',
        experiment_name='val',
    )
    assert_same_metrics(runner.val(), tested)
    assert 'val: 3 of 18 pairs, ' in read_log(tmp_path / 'val')


def test_labels_of_queries_are_not_looked_at(hidden_root, tmp_path):
    """The same instances with other labels: nothing but the truth changes."""
    loader = open_loader(hidden_root)
    supports = {e.support_ids[0] for e in loader.sampler.episodes}
    _, before = evaluate(tmp_path / 'a', build_model(), loader)
    rng = np.random.default_rng(0)
    for instance in loader.dataset.index.instances:
        if instance.ann_id not in supports:
            instance.keypoints[:] = rng.uniform(0, 60, instance.keypoints.shape)
    _, after = evaluate(tmp_path / 'b', build_model(), loader)
    for index, sample in before.samples.items():
        other = after.samples[index]
        assert_same_values(
            other['pred_instances']['keypoints'],
            sample['pred_instances']['keypoints'],
            0,
        )
        if not {int(i) for i in sample['gt_instances']['ann_ids']} <= supports:
            truth = sample['gt_instances']['keypoints']
            assert not torch.equal(other['gt_instances']['keypoints'], truth)
    assert ANN_FILE in loader.dataset.ann_file
