"""Speed and memory: the arithmetic, and what reaches the log."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace

import pytest
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook

from cape_mm.engine.hooks import resource_hook
from cape_mm.engine.hooks.resource_hook import (
    MIB,
    ResourceHook,
    count_episodes,
    count_queries,
    peak_rss_mib,
)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told."""
    now = SimpleNamespace(value=100.0)
    fake = SimpleNamespace(
        perf_counter=lambda: now.value, strftime=time.strftime, gmtime=time.gmtime
    )
    monkeypatch.setattr(resource_hook, 'time', fake)
    return now


def test_throughput_is_smoothed_over_the_window_and_leaves_pauses_out(clock):
    throughput = resource_hook._Throughput(window=2)
    throughput.start()
    speeds = []
    for seconds in (1.0, 3.0, 5.0):
        clock.value += seconds
        speeds.append(throughput.step(4))
    assert speeds == [4.0, 2.0, 1.0]  # 4/1, 8/(1+3), 8/(3+5)
    clock.value += 1000
    throughput.start()
    clock.value += 1.0
    assert throughput.step(8) == 8.0
    assert throughput.seconds == 10.0
    assert throughput.mean == 2.0  # 20 items in 1 + 3 + 5 + 1 seconds


def test_log_line_and_summary(toy, tmp_path):
    runner = toy.build_toy_runner(tmp_path, [ResourceHook()], validate=True)
    runner.train()
    log = toy.read_log(runner)
    lines = [line for line in log.splitlines() if 'Epoch(train)' in line]
    assert len(lines) == 10
    assert all('eta:' in line and 'episodes_per_sec:' in line for line in lines)
    assert all(re.search(r'peak_rss_mib: [1-9]\d+', line) for line in lines)
    validation = [line for line in log.splitlines() if 'Epoch(val) [1][2/2]' in line]
    assert re.search(r'queries_per_sec: \d+', validation[-1])
    assert re.search(
        r'Training took 00:00:\d\d: 20 episodes at [\d.]+ episodes/s, process peak '
        r'\d+ MiB',
        log,
    )


def test_speed_includes_loading_and_excludes_validation(toy, clock, tmp_path):
    class Slow(Hook):
        def before_val(self, runner):
            clock.value += 1000

        def before_train_iter(self, runner, batch_idx, data_batch=None):
            clock.value += 0.5

    hook = ResourceHook()
    runner = toy.build_toy_runner(tmp_path, [hook, Slow()], validate=True, max_epochs=2)
    runner.train()
    assert hook._train.seconds == 10.0
    assert hook._train.mean == 4.0
    assert '00:33:30: 40 episodes at 4.00 episodes/s' in toy.read_log(runner)


def test_gpu_peak_survives_the_reset_of_the_logger(monkeypatch):
    readings = iter([3 * 2**20, 2**20])
    hook = ResourceHook()
    hook._has_gpu = True
    monkeypatch.setattr(
        resource_hook.torch.cuda, 'max_memory_allocated', lambda: next(readings)
    )
    assert hook._measure_peak('train') == ('peak_mem_mib', 3.0)
    assert hook._measure_peak('train') == ('peak_mem_mib', 3.0)


class FakeGpu(Hook):
    """CUDA's counter: a peak that stands until it is reset, also by the logger."""

    priority = 'VERY_HIGH'
    needs = dict(train=[5, 9, 7], val=[3, 4], test=[6, 2])

    def __init__(self, monkeypatch):
        self.held = self.peak = 2 * MIB
        cuda = resource_hook.torch.cuda
        monkeypatch.setattr(cuda, 'max_memory_allocated', lambda: self.peak)
        monkeypatch.setattr(cuda, 'reset_peak_memory_stats', self.reset)

    def reset(self):
        self.peak = self.held

    def _after_iter(self, runner, batch_idx, data_batch=None, outputs=None, mode=''):
        needs = self.needs[mode]
        self.peak = max(self.peak, MIB * needs[batch_idx % len(needs)])

    def before_train_epoch(self, runner):
        self.peak = max(self.peak, 50 * MIB)  # before any phase: a checkpoint's loading


def test_gpu_peak_of_each_phase(toy, monkeypatch, tmp_path):
    class ResetAtEveryLine(Hook):
        priority = 'VERY_LOW'

        def _after_iter(self, *args, **kwargs):
            gpu.reset()

    gpu, hook = FakeGpu(monkeypatch), ResourceHook()
    hook._has_gpu = True
    runner = toy.build_toy_runner(
        tmp_path,
        [gpu, hook, ResetAtEveryLine()],
        validate=True,
        max_epochs=2,
        test_dataloader=toy.make_loader(4),
        test_cfg=dict(),
        test_evaluator=Evaluator(toy.ToyMetric()),
    )
    runner.train()
    runner.test()
    log = toy.read_log(runner)
    assert 'episodes/s, peak GPU memory: train 9 MiB, val 4 MiB\n' in log
    assert 'Test: peak GPU memory: train 9 MiB, val 4 MiB, test 6 MiB\n' in log
    assert re.search(r'Epoch\(val\) \[2\]\[2/2\].*peak_mem_mib: 4', log)
    assert re.search(r'Epoch\(train\) +\[2\]\[10/10\].*peak_mem_mib: 9', log)


def test_process_peak_after_a_test(toy, tmp_path):
    runner = toy.build_toy_runner(
        tmp_path,
        [ResourceHook()],
        test_dataloader=toy.make_loader(4),
        test_cfg=dict(),
        test_evaluator=Evaluator(toy.ToyMetric()),
    )
    runner.test()
    assert re.search(r'Test: process peak [1-9]\d+ MiB\n', toy.read_log(runner))


def test_counts():
    assert count_episodes(dict(inputs={}, data_samples=[0, 0, 0])) == 3
    sample = SimpleNamespace(pred_instances=[0, 0])
    empty = SimpleNamespace(pred_instances=[])
    assert count_queries([sample, empty, object()]) == 3


def test_peak_rss_is_in_mib():
    block = bytearray(64 * 2**20)
    assert len(block) / 2**20 < peak_rss_mib() < 100_000
