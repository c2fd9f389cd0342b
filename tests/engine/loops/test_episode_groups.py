"""Which process evaluates what; run as a script it is one of two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cape_mm.apis.launching import leave_processes
from cape_mm.engine.loops.episode_groups import (
    count_pairs,
    group_categories,
    share_categories,
    split_categories,
)
from cape_mm.engine.loops.episode_prediction import InstanceBatch, plan_instances
from cape_mm.structures import Episode

TESTS = Path(__file__).resolve().parents[2]


def make_episodes(counts: dict[int, int]) -> list[Episode]:
    """So many episodes of every category, one support and two queries each."""
    return [
        Episode(category, (100 * category + i,), (7, 8 + i), index=i)
        for category, number in counts.items()
        for i in range(number)
    ]


@pytest.mark.parametrize('world_size', [1, 2, 3, 8])
def test_every_episode_belongs_to_one_process(world_size):
    episodes = make_episodes({5: 4, 2: 1, 9: 3, 1: 3})
    groups = group_categories(episodes)
    assert list(groups) == [5, 2, 9, 1]
    shares = [share_categories(groups, r, world_size) for r in range(world_size)]
    pairs = [(e.category_id, e.index) for s in shares for g in s.values() for e in g]
    assert sorted(pairs) == sorted((e.category_id, e.index) for e in episodes)
    loads = [sum(map(len, share.values())) for share in shares]
    expected = {1: [11], 2: [6, 5], 3: [4, 3, 4], 8: [4, 3, 3, 1, 0, 0, 0, 0]}
    assert sorted(loads) == sorted(expected[world_size])


def test_parts_have_no_more_instances_than_allowed():
    groups = group_categories(make_episodes({5: 4, 2: 1}))
    parts = list(split_categories(groups, max_instances=5))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert [
        len({i for e in part for i in (*e.support_ids, *e.query_ids)}) for part in parts
    ] == [5, 5, 3]
    assert [count_pairs(part) for part in parts] == [4, 4, 2]
    whole = list(split_categories(groups, max_instances=100))
    assert [
        len({i for e in part for i in (*e.support_ids, *e.query_ids)}) for part in whole
    ] == [9, 3]
    assert len(list(split_categories(groups, max_instances=1))) == 5


def evaluate_all(root: str, folder: Path) -> list[dict]:
    """Metrics of uneven shares, and of one category for two processes."""
    from loop_cases import build_model, evaluate, open_loader

    torch.set_num_threads(1)
    results = []
    for number, categories in enumerate((None, 1)):
        loader = open_loader(Path(root))
        episodes = loader.sampler.episodes
        if categories is None:
            loader.sampler.episodes = episodes[:-1]
        else:
            loader.sampler.episodes = episodes[: len(episodes) // 2]
        metrics, recorder = evaluate(folder / str(number), build_model(), loader)
        results.append(dict(metrics=metrics, order=recorder.order))
    return results


def test_two_processes_equal_one(own_root, tmp_path):
    from loop_cases import open_loader

    loader = open_loader(own_root)
    missing = loader.sampler.episodes[4].query_ids[0]
    dataset = loader.dataset
    Path(dataset.image_path(dataset.index[missing])).write_bytes(b'')
    path = os.pathsep.join(map(str, (TESTS.parent, TESTS, Path(__file__).parent)))
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': path}
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(tmp_path), str(own_root)],
            env=env,
            stdout=subprocess.DEVNULL,
        )
        for rank in range(2)
    ]
    alone = json.loads(json.dumps(evaluate_all(str(own_root), tmp_path / 'alone')))
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    ranks = [json.loads((tmp_path / f'{rank}.json').read_text()) for rank in (0, 1)]
    for number, expected in enumerate(alone):
        shares = [rank[number]['order'] for rank in ranks]
        assert ranks[0][number]['metrics'] == expected['metrics']
        assert ranks[1][number]['metrics'] == expected['metrics']
        assert sorted(shares[0] + shares[1]) == sorted(expected['order'])
    assert [len(rank[0]['order']) for rank in ranks] == [3, 2]
    assert [len(rank[1]['order']) for rank in ranks] == [3, 0]
    assert alone[0]['metrics']['num_pairs_dropped'] >= 1


def _run_rank(rank: int, folder: str, root: str) -> None:
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    results = evaluate_all(root, Path(folder, 'both'))
    Path(folder, f'{rank}.json').write_text(json.dumps(results))
    leave_processes()


if __name__ == '__main__':
    _run_rank(int(sys.argv[1]), sys.argv[2], sys.argv[3])


def test_instances_are_encoded_for_what_they_are():
    """3 is support and query, 1 only a support, 4 to 6 only queries."""
    episodes = [Episode(7, (1,), (4, 3)), Episode(7, (3,), (5, 4, 6))]
    both = ('support', 'query')
    assert plan_instances(episodes, 2) == [
        InstanceBatch([3], both),
        InstanceBatch([1], ('support',)),
        InstanceBatch([4, 5], ('query',)),
        InstanceBatch([6], ('query',)),
    ]
