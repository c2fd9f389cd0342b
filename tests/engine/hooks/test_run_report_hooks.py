"""What a run says of itself: the banner, speed and memory."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from mmengine.evaluator import Evaluator

from cape_mm.engine.hooks import ResourceHook, TrainingBannerHook, run_report_hooks
from cape_mm.engine.hooks.run_report_hooks import MIB


def test_banner_states_the_effective_batch(toy, tmp_path):
    runner = toy.build_toy_runner(
        tmp_path,
        [TrainingBannerHook()],
        max_epochs=2,
        validate=True,
    )
    runner.model.linear.bias.requires_grad_(False)
    runner.train()
    log = toy.read_log(runner)
    assert (
        '2 episodes x 4 accumulated x 1 process = 8 episodes per update '
        '(effective batch)' in log
    )
    assert '2 epochs x 10 iterations = 2 x 3 updates' in log  # windows 4, 4, 2
    assert re.search(r'ToyModel: 0.00 M parameters, 0.00 M trainable', log)
    assert f'work dir    {tmp_path}\n' in log


@pytest.mark.parametrize('shots, text', [(1, '1'), ((1, 5), '1 to 5')])
def test_rows_show_categories_instances_shots_and_queries(toy, tmp_path, shots, text):
    hook = TrainingBannerHook()
    runner = toy.build_toy_runner(tmp_path, [hook])
    dataset, sampler = runner.train_dataloader.dataset, runner.train_dataloader.sampler
    dataset.categories = {1: 'cat', 2: 'dog'}
    sampler.num_shots, sampler.num_queries = shots, 15
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert hook.collect_rows(runner)['train data'] == (
        f'ToyDataset: 2 categories, 20 usable instances, num_shots {text}, '
        f'num_queries 15'
    )


def set_categories(dataset, names):
    dataset.categories = {i: SimpleNamespace(name=name) for i, name in names.items()}
    dataset.instances_by_category = {i: [(i, i)] for i in names}


@pytest.mark.parametrize(
    ('val', 'is_warned'),
    [
        ({3: 'emu', 4: 'elk'}, False),
        ({1: 'face', 2: 'dog'}, False),
        ({1: 'cat', 4: 'elk'}, True),
    ],
)
def test_val_categories(toy, tmp_path, val, is_warned):
    runner = toy.build_toy_runner(tmp_path, [TrainingBannerHook()], validate=True)
    set_categories(runner.train_dataloader.dataset, {1: 'cat', 2: 'face'})
    set_categories(runner._val_dataloader.dataset, val)
    runner.train()
    log = toy.read_log(runner)
    assert ('are also trained on (cat): val results say' in log) == is_warned
    assert ('novel categories' in log) == is_warned
    trained = runner.message_hub.state_dict()['runtime_info']['train_categories']
    assert trained == [[1, 'cat'], [2, 'face']]


def test_speed_and_memory_in_line_and_summary(toy, tmp_path):
    runner = toy.build_toy_runner(
        tmp_path,
        [ResourceHook()],
        validate=True,
        test_dataloader=toy.make_loader(4),
        test_cfg=dict(),
        test_evaluator=Evaluator(toy.ToyMetric()),
    )
    runner.train()
    runner.test()
    log = toy.read_log(runner)
    lines = [line for line in log.splitlines() if 'Epoch(train)' in line]
    assert len(lines) == 10
    assert all('eta:' in line and 'episodes_per_sec:' in line for line in lines)
    assert all(re.search(r'peak_rss_mib: [1-9]\d+', line) for line in lines)
    assert re.search(
        r'Training took 0:00:\d\d: 20 episodes at [\d.]+ episodes/s, peak_rss_mib \d+',
        log,
    )
    assert re.search(r'Test: peak_rss_mib [1-9]\d+\n', log)


def test_gpu_peak_survives_the_reset_of_the_logger(monkeypatch):
    readings = iter([3 * MIB, MIB])
    cuda = run_report_hooks.torch.cuda
    monkeypatch.setattr(cuda, 'is_available', lambda: True)
    monkeypatch.setattr(cuda, 'max_memory_allocated', lambda: next(readings))
    hook = ResourceHook()
    assert hook._measure_peak() == hook._measure_peak() == ('peak_mem_mib', 3)
