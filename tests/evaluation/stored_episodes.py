"""Evaluated episodes of a small tree, whose results can be stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from episode_data import CocoTree, open_tree
from mmengine.structures import InstanceData

from cape_mm.datasets import FixedEpisodeSampler, MP100EpisodeDataset
from cape_mm.evaluation import EpisodePCK
from cape_mm.evaluation.result_file import write_all_results
from cape_mm.structures import Episode, EpisodeDataSample


@dataclass
class Evaluated:
    """An evaluation on a tree.

    Attributes:
        dataset: of the tree.
        episodes: all episodes.
        samples: with predictions.
    """

    dataset: MP100EpisodeDataset
    episodes: list[Episode]
    samples: list[EpisodeDataSample]
    run: dict = field(default_factory=lambda: {'checkpoint': 'w.pth'})

    @property
    def ann_file(self) -> Path:
        """The annotation file."""
        return Path(self.dataset.ann_file)

    def metric(self) -> EpisodePCK:
        """The metric after these episodes."""
        metric = EpisodePCK()
        metric.process(None, self.samples)
        return metric

    def store(self, folder: Path) -> Path:
        """The file of their results."""
        metric = self.metric()
        metric.evaluate(1)
        kept = self.run, folder / 'metrics.json', self.episodes
        return write_all_results([metric], *kept)[0]


def fill_tree(tree: CocoTree) -> CocoTree:
    """Two categories of other K, hidden and unlabelled keypoints among the labels."""
    rng = np.random.default_rng(0)
    for category_id, num_keypoints in ((3, 4), (8, 6)):
        tree.fill(category_id, 6, num_keypoints=num_keypoints)
    for annotation in tree.content['annotations']:
        visibility = rng.choice([0, 1, 2], len(annotation['keypoints']) // 3)
        visibility[0] = 2
        annotation['keypoints'][2::3] = visibility.tolist()
        annotation['bbox'] = [10.3, 9.7, 21.13, 20.9]  # no numbers of float32
    return tree


def evaluate_tree(
    tree: CocoTree,
    scores: tuple[str, ...] = (),
    num_shots: int = 2,
    has_matcher: bool = False,
) -> Evaluated:
    """Draw episodes of a tree and predict by chance, as a model would hand it over."""
    dataset = open_tree(tree)
    sampler = FixedEpisodeSampler(dataset, num_shots, 3, episodes_per_category=2)
    rng = np.random.default_rng(1)
    samples = []
    for episode in sampler:
        sample = dataset[episode]['data_samples']
        truth = sample.gt_instances.keypoints_orig
        noise = torch.from_numpy(rng.normal(0, 4, truth.shape))
        fields = {
            name: torch.from_numpy(rng.random(truth.shape[:2])).float()
            for name in scores
        }
        points = (truth + noise).float()
        if has_matcher:
            fields['matched_keypoints_orig'] = (truth - 0.7 * noise).float()
        sample.pred_instances = InstanceData(keypoints_orig=points, **fields)
        samples.append(sample)
    return Evaluated(dataset, sampler.episodes, samples)
