"""A loss that is no number is skipped, named and kept; many of them stop the run."""

from __future__ import annotations

import json
import math

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from tiny_cape import make_episode
from toy_runner import ToyModel, build_toy_runner

from cape_mm.apis.launching import leave_processes
from cape_mm.engine.hooks import FiniteLossHook
from cape_mm.engine.hooks.finite_loss_hook import describe_window
from cape_mm.engine.optim import MicroBatch
from cape_mm.errors import TrainingDivergedError
from cape_mm.structures import Episode


class Trouble(Hook):
    """Makes the toy model's loss NaN at chosen iterations, counted from 1."""

    def __init__(self, *iterations):
        self.iterations = iterations
        self.weights = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.weights.append(self.weights_of(runner).detach().clone())
        if runner.iter + 1 in self.iterations:
            data_batch['y'] = data_batch['y'] * math.nan

    def weights_of(self, runner):
        return runner.model.linear.weight


def train(toy, tmp_path, *iterations, counts=1, **options):
    trouble = Trouble(*iterations)
    hooks = [FiniteLossHook(**options), trouble]
    runner = toy.build_toy_runner(tmp_path, hooks, accumulative_counts=counts)
    runner.train()
    return runner, trouble


def test_bad_steps_are_skipped_counted_and_kept(toy, tmp_path):
    runner, trouble = train(toy, tmp_path, 3, 7)
    same = [torch.equal(a, b) for a, b in zip(trouble.weights, trouble.weights[1:])]
    assert [i + 1 for i, is_same in enumerate(same) if is_same] == [3, 7]
    assert torch.isfinite(runner.model.linear.weight).all()
    assert runner.message_hub.get_info('bad_steps') == (2, 0)
    assert runner.message_hub.get_scalar('train/bad_steps').current() == 2
    log = toy.read_log(runner)
    assert 'epoch 1, iteration 3: the update was skipped' in log
    assert 'skipped so far: 2 of at most 10, 1 in a row of at most 5' in log
    assert 'rank 0, iteration 7, bad loss: data without episodes.' in log


def test_window_of_a_bad_micro_batch_is_dropped(toy, tmp_path):
    runner, trouble = train(toy, tmp_path, 6, counts=4)  # windows 1-4, 5-8, 9-12
    assert torch.equal(trouble.weights[4], trouble.weights[8])
    assert not torch.equal(trouble.weights[8], runner.model.linear.weight)
    assert 'rank 0, iteration 6, bad loss' in toy.read_log(runner)


def test_limit_of_bad_steps_in_a_row_stops_the_run(toy, tmp_path):
    train(toy, tmp_path / 'apart', 2, 3, 5, 6, max_consecutive=2)
    with pytest.raises(TrainingDivergedError, match='iteration 4.*3 in a row'):
        train(toy, tmp_path, 2, 3, 4, max_consecutive=2)


def test_resumed_run_has_no_new_allowance(toy, tmp_path):
    runner, _ = train(toy, tmp_path, 3, 4)
    path = tmp_path / 'epoch_1.pth'
    assert path.is_file()
    hooks = [FiniteLossHook(max_bad_steps=3), Trouble(12, 14)]
    again = toy.build_toy_runner(
        tmp_path / 'again',
        hooks,
        max_epochs=2,
        accumulative_counts=1,
        load_from=str(path),
        resume=True,
    )
    with pytest.raises(TrainingDivergedError, match='iteration 14.*4 of at most 3'):
        again.train()


def drawn_sample(index, supports=(7,)):
    """An episode of which the first query was redrawn: it is 20 instead of 8."""
    sample = make_episode(num_queries=2, num_shots=len(supports))['data_samples']
    episode = Episode(5, supports, (8, 9), seed=4, index=index)
    paths = dict(support_img_paths=['s.jpg'], query_img_paths=['q.jpg', 'r.jpg'])
    sample.set_metainfo(dict(episode=episode, category_name='chair', **paths))
    sample.support_instances.ann_ids = torch.tensor(supports)
    sample.gt_instances.ann_ids = torch.tensor([20, 9])
    return sample


def test_message_names_category_episode_and_files():
    window = [
        MicroBatch((41, [drawn_sample(11)]), torch.tensor(1.0)),
        MicroBatch((42, [drawn_sample(12)]), torch.tensor(1.0)),
    ]
    is_bad, text, episodes = describe_window(window)
    assert not is_bad  # all losses are finite: any of them may be the cause
    assert text == 'rank 0, iteration 41, 42, finite loss, bad gradient'
    assert len(episodes) == 2
    assert episodes[0] == (
        'category 5 (chair), episode 11: annotations [7, 20, 9] in s.jpg, q.jpg, r.jpg'
    )
    window[1].loss = torch.tensor(math.inf)
    is_bad, text, episodes = describe_window(window)
    assert is_bad
    assert text == 'rank 0, iteration 42, bad loss'
    assert len(episodes) == 1 and 'episode 12' in episodes[0]


def run_rank(rank, folder, bad):
    """One of two ranks; ``bad`` tells (rank, iteration) of the NaN."""
    store = f'file://{folder}/store'
    dist.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    train_rank(rank, folder, bad)
    leave_processes()


def train_rank(rank, folder, bad):
    trouble = SpreadTrouble(*(iteration for where, iteration in bad if where == rank))
    hooks = [FiniteLossHook(max_consecutive=1), trouble]
    model = MMDistributedDataParallel(ToyModel(), broadcast_buffers=False)
    runner = build_toy_runner(folder / 'run', hooks, model, accumulative_counts=2)
    problem = ''
    try:
        runner.train()
    except TrainingDivergedError as error:
        problem = str(error)
    result = dict(problem=problem, weights=[w.tolist() for w in trouble.weights])
    (folder / f'rank{rank}.json').write_text(json.dumps(result))


class SpreadTrouble(Trouble):
    """The same inside the wrapper of distributed training."""

    def weights_of(self, runner):
        return runner.model.module.linear.weight


@pytest.mark.parametrize(
    ('bad', 'skipped', 'is_over'),
    [([(1, 3)], [4], False), ([(1, 4)], [4], False), ([(0, 3), (1, 6)], [4, 6], True)],
)
def test_ranks_skip_together(tmp_path, bad, skipped, is_over):
    # forked: two more starts of torch and mmpose would take longer than all the rest
    mp.start_processes(run_rank, (tmp_path, bad), nprocs=2, start_method='fork')
    first, second = (
        json.loads((tmp_path / f'rank{rank}.json').read_text()) for rank in (0, 1)
    )
    assert first == second  # weights before every iteration, and how it ended
    assert bool(first['problem']) == is_over
    assert not any(math.isnan(v) for weight in first['weights'] for v in weight[0])
    weights = first['weights'] + first['weights'][-1:] * is_over
    same = [end for end in range(2, 11, 2) if end < len(weights)]
    assert [end for end in same if weights[end] == weights[end - 2]] == skipped
    (log,) = (path.read_text() for path in (tmp_path / 'run').rglob('*.log'))
    rank, iteration = bad[0]
    assert f'. rank {rank}, iteration {iteration}, bad loss: ' in log
