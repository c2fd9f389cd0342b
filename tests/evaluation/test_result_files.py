"""The files beside the metrics."""

from types import SimpleNamespace

from episode_samples import random_sample

from cape_mm.evaluation import EpisodePCK
from cape_mm.evaluation.pair_file import read_pairs
from cape_mm.evaluation.result_files import write_pair_files


def evaluated(prefix=None):
    metric = EpisodePCK(prefix=prefix)
    metric.process(None, [random_sample(0)])
    metric.evaluate(1)
    return metric


def test_every_metric_has_pairs_of_its_own(tmp_path):
    others = [EpisodePCK(), SimpleNamespace(pairs=1)]  # not evaluated; of another kind
    metrics = [evaluated(), *others, evaluated('novel')]
    paths = write_pair_files(metrics, {'checkpoint': 'w'}, tmp_path / 'metrics.json')
    names = ['metrics.pairs.json', 'novel.metrics.pairs.json']
    assert [path.name for path in paths] == names
    for path, metric in zip(paths, (metrics[0], metrics[-1])):
        stored = read_pairs(path)
        assert stored.table.values.tobytes() == metric.pairs.values.tobytes()
        assert stored.run == {'checkpoint': 'w'}


def test_metrics_without_pairs_leave_no_file(tmp_path):
    assert write_pair_files([SimpleNamespace()], {}, tmp_path / 'm.json') == []
    assert list(tmp_path.iterdir()) == []
