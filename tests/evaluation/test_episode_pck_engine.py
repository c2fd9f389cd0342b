"""The metric inside MMEngine: a runner's log, and two processes.

Run as a script it is one process of the distributed test.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from episode_samples import random_sample
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner

from cape_mm.apis.launching import leave_processes
from cape_mm.evaluation import EpisodePCK

ROOT = Path(__file__).resolve().parents[2]


class _Echo(BaseModel):
    """Returns the data samples as they are."""

    def forward(self, inputs, data_samples, mode='tensor'):
        return data_samples


def test_runner_logs_and_returns_the_table(tmp_path):
    """MMEngine's hooks take a table among the metrics and print it in one line."""
    items = [
        {'inputs': torch.zeros(1), 'data_samples': random_sample(i)} for i in (0, 1)
    ]
    loader = {
        'dataset': items,
        'batch_size': 1,
        'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        'collate_fn': {'type': 'pseudo_collate'},
    }
    runner = Runner(
        model=_Echo(),
        work_dir=str(tmp_path),
        test_dataloader=loader,
        test_evaluator=[EpisodePCK()],
        test_cfg={},
        default_scope='mmpose',
        experiment_name='episode_pck',
    )
    metrics = runner.test()
    assert metrics['num_pairs'] == 6
    assert metrics['per_category']['1 cat']['num_pairs'] == 3
    log = next(tmp_path.rglob('*.log')).read_text()
    assert 'per_category: <2 entries>' in log
    assert 'copy_support/mPCK5' in log
    written = json.loads(next(tmp_path.rglob('[0-9]*.json')).read_text())
    assert written['per_category']['2 cat']['num_pairs'] == 3
    MMLogger._instance_dict.clear()


# Uneven shares, one episode on both ranks, a dropped pair, fewer items than pairs.
SHARES = ((4, 0, 2), (1, 0))


def evaluate(indices):
    metric = EpisodePCK()
    dropped = {2: {'slots': [0, 1, 3], 'dropped': [(2, 'image not found')]}}
    for index in indices:
        metric.process(None, [random_sample(index, **dropped.get(index, {}))])
    return metric.evaluate(size=4)


def test_two_processes_equal_one(tmp_path):
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    workers = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)], env=env)
        for rank in range(2)
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    results = [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in (0, 1)]
    alone = evaluate([0, 1, 2, 4])
    assert results[0] == results[1] == json.loads(json.dumps(alone))
    assert (alone['num_pairs'], alone['num_pairs_dropped']) == (12, 1)
    assert alone.keys() >= {'ECE@0.2', 'AURC@0.2', 'visibility_AUROC'}


def _run_rank(rank, folder):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    metrics = evaluate(SHARES[rank])
    Path(folder, f'{rank}.json').write_text(json.dumps(metrics))
    leave_processes()


if __name__ == '__main__':
    _run_rank(int(sys.argv[1]), sys.argv[2])
