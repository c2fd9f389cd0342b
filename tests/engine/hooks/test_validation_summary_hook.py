"""The line after a validation: its four numbers, and that training is not touched."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from tool_calls import FAST, TINY

from cape_mm.apis import load_config, parse_cfg_options, train
from cape_mm.engine.hooks import MissedValidationHook, ValidationSummaryHook
from cape_mm.engine.hooks.validation_summary_hook import format_summary
from cape_mm.errors import ConfigError
from cape_mm.visualization import EpisodeVisualizer

LINE = re.compile(r'PCK@0\.2 novel ([\d.]+)(?: \| (train) ([\d.]+))? \| moving average')
HOOK = 'default_hooks.validation_summary'


def test_line():
    values = {'novel': 0.612, 'train': 0.784, 'moving average': 0.601, 'floor': 0.414}
    assert format_summary('PCK@0.2', values) == (
        'PCK@0.2 novel 61.2 | train 78.4 | moving average 60.1 | floor 41.4'
    )
    values['train'] = None
    assert format_summary('PCK@0.2', values) == (
        'PCK@0.2 novel 61.2 | moving average 60.1 | floor 41.4'
    )
    assert format_summary('EPE', {'novel': 20.04}) == 'EPE novel 20.0'


def run_tiny(root: Path, work_dir: Path, **hook) -> Path:
    """The smallest real training, with these settings of the hook."""
    # both are kept by name: a second run of the process would write into the first's
    MMLogger._instance_dict.clear()
    EpisodeVisualizer._instance_dict.clear()
    options = parse_cfg_options(FAST[1:]) | dict(data_root=str(root))
    options |= {f'{HOOK}.{key}': value for key, value in hook.items()}
    return train(TINY, work_dir, cfg_options=options)


def read_lines(work_dir: Path) -> list[str]:
    text = ''.join(path.read_text() for path in sorted(work_dir.rglob('*.log')))
    return [line.split(' - ')[-1] for line in text.splitlines() if LINE.search(line)]


def read_scalars(work_dir: Path, key: str) -> dict[int, float]:
    """A validation's value by epoch; a later session's counts."""
    paths = sorted(work_dir.glob('*/vis_data/scalars.json'))
    rows = [json.loads(row) for path in paths for row in path.read_text().splitlines()]
    return {row['step']: row[key] for row in rows if key in row}


@pytest.fixture(scope='module')
def with_train_side(synthetic_root, tmp_path_factory) -> Path:
    work_dir = tmp_path_factory.mktemp('with')
    return run_tiny(synthetic_root, work_dir, train_side_interval=1)


@pytest.fixture(scope='module')
def without(synthetic_root, tmp_path_factory) -> Path:
    work_dir = tmp_path_factory.mktemp('without')
    return run_tiny(synthetic_root, work_dir, train_side_interval=0)


def test_numbers_reach_log_and_files(with_train_side):
    novel = read_scalars(with_train_side, 'PCK@0.2')
    train_side = read_scalars(with_train_side, 'train_side/PCK@0.2')
    average = read_scalars(with_train_side, 'moving_average/PCK@0.2')
    floor = read_scalars(with_train_side, 'copy_support/PCK@0.2')
    assert novel.keys() == train_side.keys() == average.keys() == {1, 2}
    assert average[2] == pytest.approx((novel[1] + novel[2]) / 2)
    expected = [
        f'PCK@0.2 novel {100 * novel[i]:.1f} | train {100 * train_side[i]:.1f} | '
        f'moving average {100 * average[i]:.1f} | floor {100 * floor[i]:.1f}'
        for i in (1, 2)
    ]
    assert read_lines(with_train_side) == expected


def test_training_is_not_touched(with_train_side, without):
    """Bit for bit: neither weights nor best checkpoint nor validation change."""
    names = sorted(path.name for path in without.glob('*.pth'))
    assert names == sorted(path.name for path in with_train_side.glob('*.pth'))
    for name in names:
        weights, others = (
            torch.load(folder / name, weights_only=False)['state_dict']
            for folder in (without, with_train_side)
        )
        assert all(torch.equal(weights[key], others[key]) for key in weights)
    assert read_scalars(with_train_side, 'PCK@0.2') == read_scalars(without, 'PCK@0.2')


def test_off_evaluates_nothing(without):
    assert not read_scalars(without, 'train_side/PCK@0.2')
    assert 'train side' not in next(without.rglob('*.log')).read_text()
    assert [LINE.search(line)[2] for line in read_lines(without)] == [None, None]


def test_moving_average_goes_on_over_a_resume(toy, tmp_path):
    def session(max_epochs: int, **options) -> list[tuple[float, float]]:
        MMLogger._instance_dict.clear()
        hooks = [ValidationSummaryHook('error', window=2), MissedValidationHook()]
        runner = toy.build_toy_runner(
            tmp_path / str(max_epochs),
            hooks,
            max_epochs=max_epochs,
            optimizer=dict(type='SGD', lr=0.01),
            validate=True,
            default_hooks=dict(checkpoint=dict(type='CheckpointHook')),
            **options,
        )
        runner.train()
        pattern = r'error novel ([\d.]+) \| moving average ([\d.]+)'
        found = re.findall(pattern, toy.read_log(runner))
        return [(float(novel), float(average)) for novel, average in found]

    first = session(2)
    assert first[1][1] == pytest.approx(sum(x for x, _ in first) / 2, abs=0.1)
    path = str(tmp_path / '2/epoch_2.pth')
    (made_up, last) = session(3, load_from=path, resume=True)
    assert made_up == first[1]
    assert last[1] == pytest.approx((made_up[0] + last[0]) / 2, abs=0.1)
    assert abs(last[1] - last[0]) > 0.2  # not the mean of one


def test_data_of_another_kind_are_one_warning(toy, tmp_path):
    hook = ValidationSummaryHook('error', train_side_interval=1)
    runner = toy.build_toy_runner(tmp_path, [hook], max_epochs=3, validate=True)
    runner.train()
    log = toy.read_log(runner)
    assert log.count('no train-side validation from now on') == 1
    assert 'a data set is a ToyDataset' in log
    assert log.count('error novel ') == 3
    assert hook.train_side_interval == 0


def test_a_metric_that_is_not_measured_gives_no_line(toy, tmp_path):
    runner = toy.build_toy_runner(tmp_path, [ValidationSummaryHook()], validate=True)
    runner.train()
    assert 'novel' not in toy.read_log(runner)


def test_a_validation_alone_trains_nothing(toy, tmp_path):
    hook = ValidationSummaryHook('error', train_side_interval=1)
    runner = toy.build_toy_runner(tmp_path, [hook], validate=True)
    runner.val()
    assert 'error novel ' in toy.read_log(runner)
    assert isinstance(runner._train_loop, dict)  # nothing was built


@pytest.mark.parametrize(
    'arguments', [dict(window=0), dict(train_side_interval=-1), dict(num_episodes=0)]
)
def test_arguments_without_meaning(arguments):
    with pytest.raises(ConfigError, match=f'{next(iter(arguments))} must '):
        ValidationSummaryHook(**arguments)


def test_every_base_config_has_the_hook():
    cfg = load_config(TINY)
    assert cfg.default_hooks.validation_summary.type == 'ValidationSummaryHook'
    assert cfg.default_hooks.early_stopping.patience is None
    assert cfg.default_hooks.missed_validation.type == 'MissedValidationHook'
