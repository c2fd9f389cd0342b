"""The official evaluation draw on the real annotation files, pair for pair."""

import random

import pytest
from pycocotools.coco import COCO

from cape_mm.datasets import FixedEpisodeSampler, MP100EpisodeDataset

NUM_QUERIES = 15


def official_pairs(path, num_shots, episodes_per_category):
    """The draw as the protocol words it, from the raw file and the global generator."""
    coco = COCO(str(path))
    pools = {category_id: [] for category_id in coco.cats}
    for image_id in coco.getImgIds():
        width, height = (coco.imgs[image_id][key] for key in ('width', 'height'))
        for ann in coco.loadAnns(coco.getAnnIds(image_id, iscrowd=False)):
            x, y, w, h = ann['bbox']
            x1, y1 = max(0, x), max(0, y)
            x2 = min(width - 1, x1 + max(0, w - 1))
            y2 = min(height - 1, y1 + max(0, h - 1))
            has_box = x2 > x1 and y2 > y1 and ann.get('area', 1) > 0
            if has_box and max(ann['keypoints']) > 0 and ann['num_keypoints'] > 0:
                pools[ann['category_id']].append(ann['id'])
    random.seed(1)
    pairs = []
    for category_id, pool in pools.items():
        for _ in range(episodes_per_category):
            chosen = random.sample(pool, num_shots + NUM_QUERIES)
            supports = tuple(chosen[:num_shots])
            pairs += [(category_id, supports, query) for query in chosen[num_shots:]]
    return pairs


def our_pairs(dataset, num_shots, episodes_per_category, seed=None):
    sampler = FixedEpisodeSampler(
        dataset,
        num_shots=num_shots,
        num_queries=NUM_QUERIES,
        episodes_per_category=episodes_per_category,
        distinct_images=False,
        seed=seed,
    )
    return [
        (episode.category_id, episode.support_ids, query_id)
        for episode in sampler
        for query_id in episode.query_ids
    ]


def make_dataset(folder, name):
    """Only the annotations are there: all images are missing."""
    return MP100EpisodeDataset(
        name, data_root=str(folder), test_mode=True, check_images=False
    )


def test_sixty_thousand_pairs_of_split_1(mp100_annotations):
    name = 'mp100_split1_test.json'
    dataset = make_dataset(mp100_annotations, name)
    assert len(dataset) == 2000
    found = our_pairs(dataset, 1, 200)
    assert len(found) == 60_000
    assert found == official_pairs(mp100_annotations / name, 1, 200)
    random.seed(99)
    assert our_pairs(dataset, 1, 200, seed=99) == found


@pytest.mark.parametrize('name', ['mp100_split4_val.json', 'mp100_split5_test.json'])
def test_five_shots_where_boxes_are_dropped(mp100_annotations, name):
    dataset = make_dataset(mp100_annotations, name)
    assert dataset.index.filter_report.dropped
    expected = official_pairs(mp100_annotations / name, 5, 20)
    assert our_pairs(dataset, 5, 20) == expected
