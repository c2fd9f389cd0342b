"""A result on part of the data says so, with what is missing counted."""

import math
import shutil

import pytest
from episode_data import CocoTree, eval_pipeline
from episode_samples import random_sample
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from cape_mm.datasets import FixedEpisodeSampler, MP100EpisodeDataset
from cape_mm.datasets.episode_pools import dataset_meta
from cape_mm.evaluation import EpisodePCK

TEXT = 'partial: 2 of 4 categories, {} of 48 pairs'


class _Oracle(BaseModel):
    """Predicts the truth."""

    def forward(self, inputs, data_samples, mode='tensor'):
        return [predict(sample) for sample in data_samples]


def predict(sample):
    points = sample.gt_instances.keypoints_orig.clone()
    sample.pred_instances = InstanceData(keypoints_orig=points)
    return sample


def make_tree(root):
    """Whole category 1, 2 with a missing image, 3 without any, 4 too small."""
    tree = CocoTree(root)
    for category_id, num_images in ((1, 6), (2, 6), (3, 6), (4, 3)):
        tree.fill(category_id, num_images)
    tree.write()
    return tree


@pytest.fixture(scope='module')
def gapped_root(tmp_path_factory):
    tree = make_tree(tmp_path_factory.mktemp('gapped') / 'data')
    tree.image_path(7).unlink()
    shutil.rmtree(tree.image_folder / 'cat3')
    return tree.root


@pytest.fixture(scope='module')
def whole_root(tmp_path_factory):
    tree = make_tree(tmp_path_factory.mktemp('whole') / 'data')
    kept = [a for a in tree.content['annotations'] if a['category_id'] < 4]
    tree.content['annotations'] = kept  # nothing is left to be left out
    tree.write()
    return tree.root


DATASET = dict(ann_file='data.json', pipeline=eval_pipeline(), test_mode=True)
SAMPLER = dict(num_queries=3, episodes_per_category=4, skip_small_categories=True)


def evaluate(root, prefix=None):
    """What one process of however many finds."""
    dataset = MP100EpisodeDataset(data_root=str(root), **DATASET)
    sampler = FixedEpisodeSampler(dataset, **SAMPLER)
    metric = EpisodePCK(prefix=prefix)
    metric.dataset_meta = dataset_meta(dataset, sampler)
    for episode in sampler:
        metric.process(None, [predict(dataset[episode]['data_samples'])])
    return metric.evaluate(size=1)


def test_gaps_are_counted_and_named(gapped_root):
    metrics = evaluate(gapped_root)
    num_scored = metrics['num_pairs']
    assert 12 < num_scored < 24  # category 1, and part of category 2
    assert metrics['partial'] == dict(
        text=TEXT.format(num_scored),
        num_categories=2,
        num_categories_planned=4,
        num_pairs=num_scored,
        num_pairs_planned=48,
    )
    assert metrics['num_pairs_dropped'] == 48 - num_scored
    assert sum(metrics['dropped_by_reason'].values()) == 48 - num_scored
    assert metrics['dropped_by_reason']['category with too few instances'] == 12
    assert metrics['num_categories'] == 2
    assert metrics['PCK@0.2'] == 1.0  # of what was scored


def test_no_category_disappears(gapped_root):
    rows = evaluate(gapped_root)['per_category']
    assert list(rows) == ['1 cat1', '2 cat2', '3 cat3', '4 cat4']
    for name in ('3 cat3', '4 cat4'):
        assert math.isnan(rows[name]['PCK@0.2'])
        assert math.isnan(rows[name]['copy_support/PCK@0.2'])
        assert (rows[name]['num_pairs'], rows[name]['num_pairs_dropped']) == (0, 12)
    assert rows['1 cat1']['num_pairs_dropped'] == 0


def run_validation(root, work_dir, batch_size=1, drop_last=False):
    """Validate with a runner; returns the metrics and the log."""
    MMLogger._instance_dict.clear()
    config = dict(
        dataset=dict(type='MP100EpisodeDataset', data_root=str(root), **DATASET),
        sampler=dict(type='FixedEpisodeSampler', **SAMPLER),
        batch_size=batch_size,
        drop_last=drop_last,
        collate_fn=dict(type='collate_episodes'),
    )
    runner = Runner(
        model=_Oracle(),
        work_dir=str(work_dir),
        val_dataloader=config,
        val_evaluator=dict(type='EpisodePCK'),
        val_cfg=dict(),
        default_scope='mmpose',
        experiment_name=work_dir.name,
        cfg=Config(),
    )
    loader = runner.val_dataloader
    meta = dataset_meta(loader.dataset, loader.sampler)
    runner.val_loop.evaluator.dataset_meta = meta
    metrics = runner.val()
    MMLogger._instance_dict.clear()
    return metrics, next(work_dir.rglob('*.log')).read_text()


def test_validation_log_line(gapped_root, whole_root, tmp_path):
    metrics, log = run_validation(gapped_root, tmp_path / 'gapped')
    line = [line for line in log.splitlines() if 'Epoch(val)' in line][-1]
    assert f'  {TEXT.format(metrics["num_pairs"])}  ' in line
    assert 'per_category: <4 entries>' in line
    _, log = run_validation(whole_root, tmp_path / 'whole')
    assert '  partial: None  ' in log


def test_evaluation_that_was_cut_short_is_partial(whole_root, tmp_path):
    """The last two of twelve episodes fill no batch of five."""
    metrics, _ = run_validation(whole_root, tmp_path, batch_size=5, drop_last=True)
    assert metrics['partial']['text'] == 'partial: 3 of 3 categories, 30 of 36 pairs'
    assert metrics['dropped_by_reason'] == {'not evaluated': 6}


def test_without_a_plan_the_dropped_pairs_alone_decide():
    metric = EpisodePCK()
    metric.process(None, [random_sample(0), random_sample(1)])
    assert metric.evaluate(1)['partial'] is None
    dropped = dict(slots=[0, 1, 3], dropped=[(2, 'image not found')])
    metric.process(None, [random_sample(0), random_sample(1, **dropped)])
    text = 'partial: 2 of 2 categories, 6 of 7 pairs'
    assert metric.evaluate(1)['partial']['text'] == text
