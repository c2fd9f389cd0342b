"""The same episodes through the plain loop and through the one with a bank."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from episode_data import eval_pipeline
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner
from tiny_cape import build_cape
from torch.utils.data import DataLoader

from cape_mm.datasets import FixedEpisodeSampler, MP100EpisodeDataset, collate_episodes
from cape_mm.datasets.episode_pools import dataset_meta
from cape_mm.evaluation import EpisodePCK
from cape_mm.structures import EpisodeDataSample

ANN_FILE = 'annotations/synthetic_split1_test.json'
TOLERANCE = 1e-4
RANK_TOLERANCE = 5e-2
"""Of metrics that rank keypoints whose confidences may differ by rounding alone."""
RANK_KEYS = ('AURC@0.2', 'risk_coverage@0.2', 'visibility_AUROC')


class Recorder(BaseMetric):
    """Keeps what a metric is given, by episode."""

    default_prefix = 'recorder'

    def __init__(self) -> None:
        super().__init__()
        self.samples: dict[int, dict] = {}
        self.order: list[int] = []

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            self.samples[sample['episode_index']] = sample
            self.order.append(sample['episode_index'])
        self.results.extend(data_samples)

    def compute_metrics(self, results: list) -> dict:
        return {}


def copy_data(source: Path, target: Path) -> Path:
    """A data root of its own, to be damaged; a third of its points are hidden."""
    shutil.copytree(source, target)
    path = target / ANN_FILE
    content = json.loads(path.read_text())
    for annotation in content['annotations']:
        triplets = np.array(annotation.get('keypoints') or []).reshape(-1, 3)
        rng = np.random.default_rng(annotation['id'] % 1000)
        triplets[1:][rng.random(len(triplets[1:])) < 1 / 3, 2] = 0
        annotation['keypoints'] = triplets.ravel().tolist()
    path.write_text(json.dumps(content))
    return target


def open_loader(
    root: Path, num_workers: int = 0, dataset: dict | None = None, **sampler
) -> DataLoader:
    """The evaluation's loader: 3 episodes of 3 queries per category at 64 px."""
    options = dict(pipeline=eval_pipeline((64, 64)), test_mode=True) | (dataset or {})
    data = MP100EpisodeDataset(ANN_FILE, data_root=str(root), **options)
    wanted = dict(num_shots=1, num_queries=3, episodes_per_category=3) | sampler
    return DataLoader(
        data,
        batch_size=2,
        sampler=FixedEpisodeSampler(data, **wanted),
        collate_fn=collate_episodes,
        num_workers=num_workers,
    )


def build_model(mode: str = 'ar', **kwargs) -> BaseModel:
    """A tiny model in float32 and evaluation mode."""
    model = build_cape(dtype=torch.float32, test_cfg=dict(mode=mode), **kwargs)
    return model.eval()


def build_runner(
    work_dir: Path,
    model: BaseModel,
    loader: DataLoader,
    loop: dict,
    metrics: list[BaseMetric],
    hooks: Sequence = (),
) -> Runner:
    """A runner that tests; a fresh logger, since two runs share their second."""
    MMLogger._instance_dict.clear()
    return Runner(
        model=model,
        work_dir=str(work_dir),
        test_dataloader=loader,
        test_evaluator=Evaluator(metrics),
        test_cfg=loop,
        custom_hooks=list(hooks),
        default_scope='mmpose',
        experiment_name=work_dir.name,
        cfg=dict(model=dict(mode=str(model.test_cfg)))
        if hasattr(model, 'test_cfg')
        else None,
    )


def evaluate(
    work_dir: Path,
    model: BaseModel,
    loader: DataLoader,
    hooks: Sequence = (),
    **loop,
) -> tuple[dict, Recorder]:
    """Metrics and what they were made from, of a loop with these arguments."""
    recorder = Recorder()
    settings = dict(type='EpisodeTestLoop') | loop
    runner = build_runner(
        work_dir, model, loader, settings, [EpisodePCK(), recorder], hooks
    )
    meta = dataset_meta(loader.dataset, loader.sampler)
    if settings['type'] == 'TestLoop':  # ours asks the sampler itself
        runner.test_loop.evaluator.dataset_meta = meta
    return runner.test(), recorder


def compare(work_dir: Path, model: BaseModel, loader: DataLoader, **loop) -> dict:
    """Run both loops, demand equal results, and return the metrics."""
    expected, plain = evaluate(work_dir / 'plain', model, loader, type='TestLoop')
    metrics, banked = evaluate(work_dir / 'banked', model, loader, **loop)
    assert_same_samples(banked.samples, plain.samples)
    assert_same_metrics(metrics, expected)
    assert sorted(banked.order) == sorted(plain.order)
    return metrics


def assert_same_samples(actual: dict, expected: dict) -> None:
    """Labels and meta data alike to the bit, predictions up to rounding."""
    assert actual.keys() == expected.keys()
    for index, sample in expected.items():
        other = actual[index]
        assert other.keys() == sample.keys()
        for key in sample:
            if key == 'pred_instances':
                assert_same_instances(other[key], sample[key], TOLERANCE)
            elif isinstance(sample[key], EpisodeDataSample | dict):
                assert_same_instances(other[key], sample[key], 0)
            else:
                assert_same_values(other[key], sample[key], 0)


def assert_same_instances(actual: dict, expected: dict, tolerance: float) -> None:
    """Two records of tensors."""
    assert set(actual.keys()) == set(expected.keys())
    for key in expected.keys():  # noqa: SIM118  (instance data are no mapping)
        assert_same_values(actual[key], expected[key], tolerance)


def assert_same_values(actual, expected, tolerance: float) -> None:
    """Two values of any kind; tensors also in type and shape."""
    if isinstance(expected, torch.Tensor | np.ndarray):
        actual, expected = torch.as_tensor(actual), torch.as_tensor(expected)
        assert actual.dtype == expected.dtype
        torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
    else:
        assert actual == expected


def assert_same_metrics(actual: dict, expected: dict, tolerance: float = 1e-6) -> None:
    """Two dictionaries of metrics, tables included; 0 asks for the same bits."""
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        limit = RANK_TOLERANCE if tolerance and key in RANK_KEYS else tolerance
        if isinstance(value, dict):
            assert_same_metrics(actual[key], value, limit)
        elif isinstance(value, float):
            np.testing.assert_allclose(actual[key], value, atol=limit, rtol=limit)
        else:
            assert actual[key] == value, key


def read_log(work_dir: Path) -> str:
    """What the runs of a folder logged."""
    return ''.join(path.read_text() for path in sorted(work_dir.rglob('*.log')))


def count_images(module: torch.nn.Module) -> list[int]:
    """A list that grows by the batch size whenever the module is called."""
    sizes: list[int] = []
    module.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    return sizes
