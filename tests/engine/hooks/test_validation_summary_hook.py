"""The line after a validation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mmengine.logging import MMLogger
from mmpose.visualization import PoseLocalVisualizer
from tool_calls import FAST, TINY

from cape_mm.apis import parse_cfg_options, train
from cape_mm.engine.hooks import MissedValidationHook, ValidationSummaryHook
from cape_mm.engine.hooks.validation_hooks import describe_kind


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
    options = parse_cfg_options(FAST[1:]) | dict(data_root=str(synthetic_root))
    work_dir = train(TINY, tmp_path / 'w', cfg_options=options)
    novel = read_scalars(work_dir, 'PCK@0.2')
    average = read_scalars(work_dir, 'moving_average/PCK@0.2')
    floor = read_scalars(work_dir, 'copy_support/PCK@0.2')
    assert novel.keys() == average.keys() == {1, 2}
    assert average[2] == pytest.approx((novel[1] + novel[2]) / 2)
    text = ''.join(path.read_text() for path in work_dir.rglob('*.log'))
    for i in (1, 2):
        assert (
            f'PCK@0.2 novel {100 * novel[i]:.1f} | moving average '
            f'{100 * average[i]:.1f} | copy support {100 * floor[i]:.1f}\n'
        ) in text
    assert len(list(work_dir.glob('best_PCK_macro@0.2_epoch_*.pth'))) == 1


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
        pattern = r'error val ([\d.]+) \| moving average ([\d.]+)'
        found = re.findall(pattern, toy.read_log(runner))
        return [(float(novel), float(average)) for novel, average in found]

    first = session(2)
    assert first[1][1] == pytest.approx(sum(x for x, _ in first) / 2, abs=0.1)
    path = str(tmp_path / '2/epoch_2.pth')
    (made_up, last) = session(3, load_from=path, resume=True)
    assert made_up == first[1]
    assert last[1] == pytest.approx((made_up[0] + last[0]) / 2, abs=0.1)
    assert abs(last[1] - last[0]) > 0.2  # not the mean of one


def test_a_validation_alone_trains_nothing(toy, tmp_path):
    hook = ValidationSummaryHook('error')
    runner = toy.build_toy_runner(tmp_path, [hook], validate=True)
    runner.val()
    assert 'error val ' in toy.read_log(runner)
    assert isinstance(runner._train_loop, dict)  # nothing was built
