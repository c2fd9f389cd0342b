"""When the plain loop runs, and that it says so once."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from episode_data import eval_pipeline
from loop_cases import build_model, evaluate, open_loader, read_log
from mmcv.transforms import BaseTransform
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from cape_mm.datasets import MP100EpisodeDataset
from cape_mm.datasets.transforms import EpisodeFlip, RandomPhotometric
from cape_mm.engine.loops.suitability import why_plain
from cape_mm.models.estimators import CAPE
from cape_mm.structures import Episode


class GlobalNoise(BaseTransform):
    """Draws from a global generator."""

    def __init__(self, draw):
        self.draw = draw

    def transform(self, results):
        self.draw()
        return results


GLOBAL_DRAWS = dict(
    python=random.random,
    numpy=np.random.rand,  # noqa: NPY002
    torch=lambda: torch.rand(1),
)


def test_the_official_pipeline_is_suitable(hidden_root):
    assert why_plain(build_model(), open_loader(hidden_root)) is None


@pytest.mark.parametrize(
    'transform',
    [
        RandomPhotometric(prob=0.0),
        EpisodeFlip(prob=0.0),
        *map(GlobalNoise, GLOBAL_DRAWS.values()),
    ],
    ids=['own generator', 'seed of the episode', *GLOBAL_DRAWS],
)
def test_a_random_pipeline_is_found(hidden_root, transform):
    """Also where it happens to change nothing."""
    pipeline = eval_pipeline((64, 64))
    pipeline.insert(2, transform)
    loader = open_loader(hidden_root, dataset=dict(pipeline=pipeline))
    reason = why_plain(build_model(), loader)
    assert f'the pipeline is random ({type(transform).__name__})' in reason


class OtherForward(CAPE):
    """A model that does something else with an episode."""

    def encode(self, inputs):
        return super().encode(inputs)


class Stock(BaseModel):
    """A model without an interface for features."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples, mode='tensor'):
        for sample in data_samples:
            points = torch.zeros(len(sample.query_slots), sample.num_keypoints, 2)
            sample.pred_instances = InstanceData(
                keypoints=points, keypoints_orig=points
            )
        return data_samples


def test_a_model_that_changed_the_forward_pass(hidden_root):
    model = build_model()
    model.__class__ = OtherForward
    reason = why_plain(model, open_loader(hidden_root))
    assert reason == 'OtherForward has a encode of its own'


class OtherLoading(MP100EpisodeDataset):
    """Data that are not what the pipeline gives."""

    def _pack(self, *args, **kwargs):
        return super()._pack(*args, **kwargs)


def test_data_that_changed_the_loading(hidden_root):
    loader = open_loader(hidden_root)
    loader.dataset.__class__ = OtherLoading
    assert why_plain(build_model(), loader) == 'OtherLoading has a _pack of its own'


def test_other_samplers_and_mixed_categories(hidden_root):
    loader = open_loader(hidden_root)
    first, last = loader.sampler.episodes[0], loader.sampler.episodes[-1]
    mixed = Episode(first.category_id, last.support_ids, first.query_ids, index=7)
    loader.sampler.episodes.append(mixed)
    assert why_plain(build_model(), loader) == 'episode 7 mixes categories'
    loader.sampler.episodes = None
    assert 'no fixed list of episodes' in why_plain(build_model(), loader)


def test_no_image_at_all(own_root):
    loader = open_loader(own_root)
    for path in (own_root / 'images').rglob('*.jpg'):
        path.unlink()
    assert 'no instance of the episodes can be loaded' in why_plain(
        build_model(), loader
    )


def test_a_stock_model_runs_plainly_with_one_message(hidden_root, tmp_path):
    metrics, recorder = evaluate(tmp_path, Stock(), open_loader(hidden_root))
    assert (metrics['num_pairs'], len(recorder.order)) == (18, 6)
    log = read_log(tmp_path)
    message = 'EpisodeTestLoop: Stock has no encode_instances and no predict_from'
    assert log.count(message) == 1
