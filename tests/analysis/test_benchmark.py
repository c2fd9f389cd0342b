"""The benchmark from its command line, and the oracles of its parts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from mmengine.config import ConfigDict
from tool_calls import FAST, REPO, TINY, ToolCaller

from cape_mm.analysis.benchmark import BenchmarkSettings
from cape_mm.analysis.benchmark.decoding import measure_decoding
from cape_mm.analysis.benchmark.made_input import make_batch
from cape_mm.analysis.benchmark.recomputing import decode_by_recomputing
from cape_mm.analysis.benchmark.stages import StepTimer, predict_step
from cape_mm.analysis.benchmark.subject import prepare
from cape_mm.analysis.benchmark.timing import Stopwatch, alternate, ratio, summarise
from cape_mm.apis import parse_cfg_options
from cape_mm.apis.pretrained import drop_pretrained
from cape_mm.models.heads.decode_order import random_order

CPU = torch.device('cpu')
SIZE = ('--input-size', '64', '--num-keypoints', '5', '--device', 'cpu')
SHORT = ('--steps', '2', '--warmup', '1')
STAGES = ['load', 'preprocess', 'backbone', 'encode', 'decode']
SMALL = BenchmarkSettings(
    mode='predict', num_keypoints=(5,), input_size=64, batch_size=2, device='cpu'
)
OPTIONS = parse_cfg_options(FAST[1:])


@pytest.fixture
def call(monkeypatch, capfd) -> ToolCaller:
    """Runs the tool in this process."""
    return ToolCaller(monkeypatch, capfd)


@pytest.mark.parametrize('mode, last', [('train', 'update'), ('predict', 'output')])
def test_stages_of_a_step(call, tmp_path, mode, last):
    out = tmp_path / 'new' / 'result.json'
    arguments = (TINY, '--mode', mode, *SIZE, *SHORT, '--out', out, *FAST)
    result = call('benchmark', *arguments)
    assert result.code == 0, result.err
    record = json.loads(result.out)
    assert record == json.loads(out.read_text())
    assert str(out) in result.err
    assert list(record['stages_ms']) == [*STAGES, last]
    medians = [times['median'] for times in record['stages_ms'].values()]
    assert all(median > 0 for median in medians)
    # quantiles of two steps interpolate, so medians add up
    assert sum(medians) == pytest.approx(record['step_ms']['median'], rel=1e-6)
    per_second = record['episodes_per_s'] * record['step_ms']['median']
    assert per_second == pytest.approx(1000 * record['input']['batch_size'], rel=0.3)
    assert record['peak_memory_mib']['kind'] == 'rss'
    assert record['peak_memory_mib']['steps'] >= record['peak_memory_mib']['build'] > 0
    assert record['environment']['threads'] == torch.get_num_threads()
    assert record['environment']['versions']['torch'] == torch.__version__
    assert {'commit', 'device_name'} <= record['environment'].keys()
    assert record['settings']['seed'] == 0


def test_prediction_is_related_to_its_backbone(call):
    result = call('benchmark', TINY, '--mode', 'predict', *SIZE, *SHORT, *FAST)
    part = json.loads(result.out)['over_backbone']
    assert part['order'] == ['backbone', 'predict'] * 2
    assert len(part['ratio']['pairs']) == 2
    assert part['ratio']['median'] > 1  # the backbone is a part of the prediction


def test_comparison_runs_in_turn(call):
    short = (*SHORT, '--pairs', '3')
    result = call('benchmark', '--compare', TINY, TINY, *SIZE, *short, *FAST)
    assert result.code == 0, result.err
    record = json.loads(result.out)
    assert record['order'] == ['A', 'B'] * 3
    assert len(record['b_over_a']['pairs']) == 3
    assert record['unit'] == 'episode'
    for name in 'AB':
        assert record[name]['step_ms']['n'] == 6
        turns = record['turn_ms'][name]  # of three: their mean follows from these
        mean = (turns['min'] + turns['median'] + 2 * turns['q3'] - turns['median']) / 3
        assert mean == pytest.approx(1000 / record[name]['episodes_per_s'], rel=0.2)


def test_loader(call, synthetic_root):
    options = (*FAST, f'data_root={synthetic_root}')
    arguments = (TINY, '--loader', '--batch-size', '3', '--device', 'cpu')
    result = call('benchmark', *arguments, *SHORT, *options)
    assert result.code == 0, result.err
    record = json.loads(result.out)
    # an epoch has 6 episodes: the third step is the next epoch's
    assert record['input']['batch_size'] == 3
    assert record['data_wait_ms']['median'] > 0
    assert record['stages_ms']['load']['median'] > 1  # real files are decoded


def test_decode(call):
    sizes = ('--input-size', '64', '--num-keypoints', '3', '5', '--num-queries', '2')
    arguments = (TINY, '--mode', 'decode', *sizes, '--device', 'cpu', *SHORT)
    record = json.loads(call('benchmark', *arguments, *FAST).out)
    assert [part['num_keypoints'] for part in record['keypoints']] == [3, 5]
    for part in record['keypoints']:
        assert part['num_queries'] == 2
        assert part['order'] == ['encode', 'parallel', 'ar', 'ar+refine'] * 2
        for mode in ('ar', 'ar+refine'):
            # the encoder's time on both sides brings the quotient nearer to 1
            head, whole = part['over_parallel'], part['prediction_over_parallel']
            assert 1 < whole[mode]['median'] < head[mode]['median']
        assert part['cache']['largest_difference'] < 1e-4
        assert part['cache']['order'] == ['cached', 'recomputed'] * 2


@pytest.mark.parametrize('use_proposals', [True, False])
def test_recomputing_gives_what_the_cache_gives(use_proposals):
    options = OPTIONS | {'model.head.use_proposals': use_proposals}
    subject = prepare(TINY, SMALL, options)
    head = subject.model.head
    with torch.inference_mode():
        inputs = subject.model.data_preprocessor(next(subject.batches))['inputs']
        context = subject.model.encode(inputs)
        is_known = context.is_known.clone()
        is_known[0, 1] = False  # fewer steps in one row than in the other
        context = replace(context, is_known=is_known)
        proposal = head.propose(context)
        points = proposal.points if use_proposals else None
        order = random_order(is_known, torch.Generator().manual_seed(1))
        cached = head.decode(context, points, order)[1].points
        again = decode_by_recomputing(head, context, points, order)
    assert (cached - proposal.points).abs().max() > 1e-3  # the decoder does something
    assert torch.allclose(again[is_known], cached[is_known], atol=1e-4)


def test_head_without_decoder_has_one_mode():
    options = dict(mode='decode', num_queries=1, warmup=0, steps=1)
    settings = replace(SMALL, **options)
    options = OPTIONS | {'model.head': dict(_delete_=True, type='ProposalHead')}
    options['model.test_cfg.mode'] = 'parallel'
    _, results = measure_decoding(TINY, settings, options)
    (part,) = results['keypoints']
    assert list(part['ms']) == ['parallel']
    assert 'cache' not in part


def test_measuring_leaves_the_model_as_it_was():
    subject = prepare(TINY, SMALL, OPTIONS)
    before = dict(vars(subject.model)), dict(vars(subject.model.head))
    batch = next(subject.batches)
    marks: list[str] = []
    predict_step(subject, batch, marks.append)
    assert marks == ['preprocess', 'backbone', 'encode', 'decode', 'output']
    assert (dict(vars(subject.model)), dict(vars(subject.model.head))) == before


def test_same_seed_same_model_and_input():
    one, other = (prepare(TINY, SMALL, OPTIONS) for _ in range(2))
    weights = other.model.state_dict()
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, weights[name]), name
    images = [next(part.batches)['inputs']['query'].images for part in (one, other)]
    assert torch.equal(*images)


def test_made_batch():
    batch = make_batch(0, batch_size=2, num_shots=3, num_queries=4, **small_sizes(1))
    assert batch['inputs']['support'].counts == (3, 3)
    assert batch['inputs']['query'].images.shape == (8, 3, 64, 64)
    sample = batch['data_samples'][1]
    assert sample.gt_instances.keypoints.shape == (4, 1, 2)
    assert sample.skeleton == []  # one keypoint has no edge
    tree = make_batch(0, 1, 1, 1, **small_sizes(6))['data_samples'][0].skeleton
    assert sorted(end for _, end in tree) == [1, 2, 3, 4, 5]
    assert all(start < end for start, end in tree)


def small_sizes(num_keypoints: int) -> dict:
    return dict(num_keypoints=num_keypoints, input_size=64)


def test_pretrained_weights_are_named_and_dropped():
    pretrained = dict(type='Pretrained', checkpoint='x.pth')
    model = ConfigDict(
        dict(
            backbone=dict(type='ResNet', init_cfg=pretrained),
            neck=dict(init_cfg=[dict(type='Xavier'), pretrained]),
            head=dict(init_cfg=dict(type='Xavier')),
        )
    )
    assert drop_pretrained(model) == ['model.backbone', 'model.neck']
    assert model.backbone.init_cfg is None
    assert model.neck.init_cfg is None
    assert model.head.init_cfg == dict(type='Xavier')


def test_stopwatch_sums_a_stage_marked_twice(monkeypatch):
    times = iter([1.0, 1.25, 1.5, 2.0, 5.0, 5.125])
    monkeypatch.setattr('time.perf_counter', lambda: next(times))
    watch = Stopwatch(CPU)
    watch.begin_step()
    for stage in ('load', 'encode', 'load'):
        watch.mark(stage)
    watch.begin_step()
    watch.mark('load')
    assert watch.read() == [dict(load=750, encode=250), dict(load=125)]


def test_no_mark_becomes_part_of_a_recorded_graph(monkeypatch):
    watch = Stopwatch(torch.device('cuda'))
    monkeypatch.setattr(watch, '_now', lambda: 0.0)
    recording = iter([False, True, False])
    monkeypatch.setattr(
        'torch.cuda.is_current_stream_capturing', lambda: next(recording)
    )
    watch.begin_step()
    for stage in ('load', 'backbone', 'update'):
        watch.mark(stage)
    assert [name for name, _ in watch._steps[0]] == ['', 'load', 'update']


def test_steps_may_have_unlike_stages(monkeypatch):
    timer = StepTimer(prepare(TINY, SMALL, OPTIONS))
    timer.run(1)
    replayed, recorded = dict(load=1.0, update=4.0), dict(load=1.0, encode=2, update=3)
    for steps in ([replayed, recorded], [recorded, replayed]):
        monkeypatch.setattr(timer._watch, 'read', lambda steps=steps: steps)
        results = timer.results()
        assert list(results['stages_ms']) == ['load', 'encode', 'update']
        assert results['stages_ms']['encode']['median'] == 1
        assert results['step_ms']['median'] == 5.5


def test_turns_alternate():
    calls: list[str] = []
    works = {name: lambda name=name: calls.append(name) for name in 'AB'}
    times, order = alternate(works, 2, CPU)
    assert calls == order == ['A', 'B', 'A', 'B']
    assert {name: len(values) for name, values in times.items()} == dict(A=2, B=2)


def test_ratio_is_taken_pair_by_pair():
    # the second pair was measured in a slow moment: both are slower
    result = ratio([2.0, 20.0, 3.0], [1.0, 10.0, 2.0])
    assert result['pairs'] == [2, 2, 1.5]
    assert result['median'] == 2
    assert summarise([1, 2, 3, 4, 50])['median'] == 3


@pytest.mark.parametrize(
    'arguments, message',
    [
        (
            ('--mode', 'predit'),
            r"--mode must be one of .*'predit' \(did you mean 'pred",
        ),
        (('--device', 'cuda:99'), r'--device cuda:99 is not available.*--device cpu'),
        (('--device', 'abacus'), r"--device must be cpu, cuda .* got 'abacus'"),
        (('--device', 'cpu:3'), r"--device must be cpu, cuda .* got 'cpu:3'"),
        (('--seed', '-1'), r'--seed must be at least 0, got -1'),
        (('--out', '/dev/null/x.json'), r'--out .*x.json: folder .* can not be made'),
        (('--num-keypoints', '0'), r'--num-keypoints must be at least 1, got 0'),
        (('--num-shots', '0'), r'--num-shots must be at least 1, got 0'),
        (('--steps', '0'), r'--steps must be at least 1, got 0'),
        (('--input-size', '8'), r'--input-size must be at least 32, got 8'),
        (('--num-keypoints', '3', '5'), r'several --num-keypoints need --mode decode'),
        (('--loader', '--num-keypoints', '3'), r'--loader: the data set decides'),
        (('--loader', '--mode', 'decode'), r'--loader makes no sense'),
        (('--loader',), r"data root '/none' does not exist"),
        (('--compare', 'a.py', 'b.py'), r'--compare needs two configs, got 3'),
        (('--compare', TINY, '--mode', 'decode'), r'--compare takes --mode train or'),
        (('--out', REPO), r'--out .* is a folder'),
    ],
)
def test_bad_input_is_one_message(call, arguments, message):
    options = ('--cfg-options', 'data_root=/none')
    result = call('benchmark', TINY, *arguments, *options)
    assert result.code == 2
    assert result.out == ''
    assert_matches(message, result.message)


def assert_matches(pattern: str, text: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        raise ValueError(text)


def test_no_config(call):
    assert call('benchmark').message.startswith('no config to measure')


def test_comparison_of_one_config(call):
    message = call('benchmark', '--compare', TINY).message
    assert message.startswith('--compare needs two configs, got 1')


def test_help_is_quick():
    code = (
        "import runpy, sys; sys.argv = ['benchmark.py', '--help']\n"
        'try:\n'
        "    runpy.run_path('tools/analysis_tools/benchmark.py', run_name='__main__')\n"
        'finally:\n'
        "    assert 'torch' not in sys.modules"
    )
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=REPO, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert (
        'python tools/analysis_tools/benchmark.py configs/cape_tiny.py' in result.stdout
    )
