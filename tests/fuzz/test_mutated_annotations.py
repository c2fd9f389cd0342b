"""200 damaged annotation files: read, or refused with one of our own errors."""

from __future__ import annotations

import warnings
from collections import Counter

from episode_data import eval_pipeline, train_pipeline
from mutated_json import mutate

from cape_mm.datasets import EpisodeSampler, FixedEpisodeSampler, MP100EpisodeDataset
from cape_mm.errors import CapeError

NUM_FILES = 200
SETTINGS = {
    True: (FixedEpisodeSampler, dict(episodes_per_category=2)),
    False: (EpisodeSampler, dict(episodes_per_epoch=3)),
}


def use(path, test_mode):
    """Read a file, draw episodes and load them."""
    pipeline = eval_pipeline() if test_mode else train_pipeline()
    dataset = MP100EpisodeDataset(
        path.name, data_root=str(path.parent), pipeline=pipeline, test_mode=test_mode
    )
    sampler_type, length = SETTINGS[test_mode]
    sampler = sampler_type(dataset, num_shots=1, num_queries=1, **length)
    for episode in sampler:
        dataset[episode]


def test_damaged_files_end_in_our_own_errors_only(coco_tree):
    coco_tree.fill(1, num_images=2)
    coco_tree.fill(2, num_images=3, per_image=2, num_keypoints=3)
    path = coco_tree.write()
    use(path, test_mode=False)
    outcomes = Counter()
    for seed in range(NUM_FILES):
        path.write_bytes(mutate(coco_tree.content, seed))
        print(f'seed {seed}')  # shown where it fails
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('error', RuntimeWarning)  # numbers that overflow
                use(path, test_mode=bool(seed % 2))
        except CapeError as error:
            assert len(str(error)) > 30
            outcomes[type(error).__name__] += 1
        else:
            outcomes['used'] += 1
    print(outcomes)
    # some are harmless, some broken as files, some as data
    assert {'used', 'AnnotationFormatError'} <= outcomes.keys()
    assert len(outcomes) > 2
    assert all(count > 1 for count in outcomes.values())
