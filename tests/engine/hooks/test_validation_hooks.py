"""The line after a validation; early stopping: when, why, and over a resume."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.runner import EpochBasedTrainLoop
from mmpose.visualization import PoseLocalVisualizer
from tool_calls import FAST, TINY

from cape_mm import apis
from cape_mm.engine.hooks import (
    MissedValidationHook,
    ResumableEarlyStoppingHook,
    ValidationSummaryHook,
)
from cape_mm.engine.hooks.validation_hooks import describe_kind
from cape_mm.errors import ConfigError


def test_categories_that_are_trained_are_not_called_novel():
    two = {(1, 'a'): None, (2, 'b'): None}
    assert describe_kind(two, {(3, 'c'): None}) == 'novel'
    assert describe_kind(two, {(1, 'b'): None}) == 'novel'  # another of this id
    assert describe_kind(two, {(1, 'a'): None, (3, 'c'): None}) == '1 of 2 trained'
    assert describe_kind(two, two) == 'trained'
    assert describe_kind(two, {}) == describe_kind({}, two) == 'val'


def read_scalars(work_dir: Path, key: str) -> dict[int, float]:
    """A validation's value by epoch; a later session's counts."""
    paths = sorted(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(row) for path in paths for row in path.read_text().splitlines()]
    return {row['step']: row[key] for row in rows if key in row}


def test_numbers_reach_log_and_files(synthetic_root, tmp_path):
    # both are kept by name: a second run of the process would write into the first's
    MMLogger._instance_dict.clear()
    PoseLocalVisualizer._instance_dict.clear()
    options = apis.parse_cfg_options(FAST[1:]) | dict(data_root=str(synthetic_root))
    work_dir = apis.train(TINY, tmp_path / 'w', cfg_options=options)
    novel = read_scalars(work_dir, 'PCK@0.2')
    floor = read_scalars(work_dir, 'copy_support/PCK@0.2')
    assert novel.keys() == {1, 2}
    text = ''.join(path.read_text() for path in work_dir.rglob('*.log'))
    for i in (1, 2):
        assert (
            f'PCK@0.2 novel {100 * novel[i]:.1f} | copy support {100 * floor[i]:.1f}\n'
        ) in text
    assert len(list(work_dir.glob('best_PCK_macro@0.2_epoch_*.pth'))) == 1


def test_a_validation_alone_trains_nothing(toy, tmp_path):
    hook = ValidationSummaryHook('error')
    runner = toy.build_toy_runner(tmp_path, [hook], validate=True)
    runner.val()
    assert 'error val ' in toy.read_log(runner)
    assert isinstance(runner._train_loop, dict)  # nothing was built


KEY = 'PCK@0.2'


class ScriptedMetric(BaseMetric):
    """Gives the next of its values, by epoch of the runner that it is told of."""

    def __init__(self, values: list[float], key: str = KEY) -> None:
        super().__init__()
        self.values, self.key, self.runner = values, key, None

    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict:
        return {self.key: self.values[self.runner.epoch - 1]}


def train(toy, work_dir, values, key=KEY, **kwargs) -> SimpleNamespace:
    """Train as many epochs as there are values, unless something stops it."""
    metric = ScriptedMetric(values, key)
    hook = kwargs.pop('hook', None) or ResumableEarlyStoppingHook(key, patience=2)
    saving = CheckpointHook(interval=1, save_best=key, rule='greater')
    MMLogger._instance_dict.clear()
    runner = toy.build_toy_runner(
        work_dir,
        [hook, MissedValidationHook()],
        max_epochs=len(values),
        default_hooks=dict(checkpoint=saving),
        val_dataloader=toy.make_loader(4),
        val_cfg=dict(),
        val_evaluator=Evaluator(metric),
        **kwargs,
    )
    metric.runner = runner
    runner.train()
    log = ''.join(path.read_text() for path in sorted(work_dir.rglob('*.log')))
    return SimpleNamespace(runner=runner, log=log, hook=hook)


@pytest.mark.parametrize(
    ('values', 'rule', 'min_delta', 'num_worse', 'best'),
    [
        ([0.1, 0.2, 0.3], 'greater', 0.0, 0, 0.3),
        ([0.5, 0.5, 0.5], 'greater', 0.0, 2, 0.5),  # an equal value is none better
        ([0.5, 0.625], 'greater', 0.125, 1, 0.5),  # nor one by just min_delta
        ([0.5, 0.6, 0.65], 'greater', 0.2, 2, 0.5),
        ([0.5, 0.4, 0.45], 'less', 0.0, 1, 0.4),
        ([0.5, 0.4, 0.3], 'less', 0.15, 0, 0.3),  # small steps add up
        ([math.nan, 0.1, math.nan], 'greater', 0.0, 1, 0.1),
        ([math.nan, math.nan], 'greater', 0.0, 2, None),
    ],
)
def test_what_counts_as_an_improvement(values, rule, min_delta, num_worse, best):
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    loop._max_epochs = len(values)  # stops by itself
    hub = SimpleNamespace(update_info=lambda *args: None, runtime_info={})
    runner = SimpleNamespace(_train_loop=loop, train_loop=loop, message_hub=hub)
    hook = ResumableEarlyStoppingHook('x', 100, min_delta, rule)
    for loop._epoch, value in enumerate(values, start=1):
        hook.after_val_epoch(runner, dict(x=value))
    assert hook.wait_count == num_worse
    assert hook.best_score == (-math.inf if best is None else best)


def test_stops_and_says_why(toy, tmp_path):
    run = train(toy, tmp_path, [0.5, 0.6, 0.55, 0.6, 0.9])
    assert run.runner.epoch == 4
    (line,) = (x for x in run.log.splitlines() if 'early stopping' in x)
    assert 'early stopping after epoch 4: PCK@0.2 was 60 and has not been' in line
    assert 'default_hooks.early_stopping.patience=4' in line


@pytest.mark.parametrize('last', [1, 2, 3, 4])
def test_a_resume_after_any_epoch_stops_where_no_interruption_would(
    last, toy, tmp_path
):
    """Most of these checkpoints were saved before their epoch's validation."""
    values = [0.5, 0.6, 0.55, 0.58, 0.57, 0.9]
    hook = ResumableEarlyStoppingHook(KEY, patience=3)
    whole = train(toy, tmp_path, values, hook=hook)
    assert whole.runner.epoch == 5
    hook = ResumableEarlyStoppingHook(KEY, patience=3)
    path = tmp_path / f'epoch_{last}.pth'
    resumed = train(
        toy, tmp_path / 'b', values, hook=hook, load_from=str(path), resume=True
    )
    assert resumed.runner.epoch == 5
    ends = [vars(one)['best_score'] for one in (hook, whole.hook)]
    assert ends == [0.6, 0.6]
    assert hook.wait_count == whole.hook.wait_count == 3
    assert resumed.runner.message_hub.get_info('best_score') == 0.6


def test_stopped_stays_stopped_until_patience_is_raised(toy, tmp_path):
    values = [0.5, 0.4, 0.4, 0.6, 0.7]
    train(toy, tmp_path, values)
    options = dict(load_from=str(tmp_path / 'epoch_3.pth'), resume=True)
    again = train(toy, tmp_path / 'b', values, **options)
    assert again.runner.epoch == 3
    assert 'early stopping' in again.log
    patient = ResumableEarlyStoppingHook(KEY, patience=3)
    more = train(toy, tmp_path / 'c', values, hook=patient, **options)
    assert more.runner.epoch == 5


def test_a_metric_that_is_not_measured(toy, tmp_path):
    hook = ResumableEarlyStoppingHook('PCK@0.3', patience=2)
    with pytest.raises(ConfigError, match=r"'PCK@0.3', which .* It has PCK@0.2\. "):
        train(toy, tmp_path, [0.5, 0.4], hook=hook)


def test_arguments_without_meaning():
    with pytest.raises(ConfigError, match='patience must be .*at least 1, got 0'):
        ResumableEarlyStoppingHook(patience=0)
    with pytest.raises(ValueError, match='should be either "greater" or "less"'):
        ResumableEarlyStoppingHook(rule='max')
