"""The frozen draws of all ten real files against the protocol, by hand."""

import hashlib
import json
import random
from functools import cache

import pytest

from cape_mm.data_tools.freezing import freeze_episodes

EPISODES = dict(test=200, val=100)
NUM_CATEGORIES = dict(test=20, val=10)
FILES = [(split, subset) for split in range(1, 6) for subset in EPISODES]


def is_usable(ann, image):
    """The official cleaning of boxes and keypoints."""
    x, y, w, h = ann['bbox']
    x1, y1 = max(0, x), max(0, y)
    x2 = min(image['width'] - 1, x1 + max(0, w - 1))
    y2 = min(image['height'] - 1, y1 + max(0, h - 1))
    has_box = x2 > x1 and y2 > y1 and ann.get('area', 1) > 0
    return has_box and max(ann['keypoints']) != 0 and ann['num_keypoints'] != 0


@cache
def reference_order(path):
    """Usable annotation ids by category: image by image, each image's in file order.

    Also the number of annotations that are not usable.
    """
    content = json.loads(path.read_text())
    of_image = {image['id']: [] for image in content['images']}
    for ann in content['annotations']:
        of_image[ann['image_id']].append(ann)
    pools = {category['id']: [] for category in content['categories']}
    for image in content['images']:
        for ann in of_image[image['id']]:
            if not ann['iscrowd'] and is_usable(ann, image):
                pools[ann['category_id']].append(ann['id'])
    return pools, len(content['annotations']) - sum(map(len, pools.values()))


def official_draw(pools, num_shots, episodes_per_category):
    """One seed, then one sample after another; the global generator is put back."""
    state = random.getstate()
    random.seed(1)
    records = []
    for category_id, pool in pools.items():
        for _ in range(episodes_per_category):
            chosen = random.sample(pool, num_shots + 15)
            records.append(
                dict(
                    category_id=category_id,
                    support=chosen[:num_shots],
                    queries=chosen[num_shots:],
                )
            )
    random.setstate(state)
    return records


@pytest.mark.parametrize('split, subset', FILES)
def test_frozen_episodes_are_the_official_draw(
    mp100_annotations, tmp_path, split, subset
):
    path = mp100_annotations / f'mp100_split{split}_{subset}.json'
    pools, _ = reference_order(path)
    written = freeze_episodes(ann_file=path, out=tmp_path)
    assert [file.name for file in written] == [
        f'mp100_split{split}_{subset}_{num_shots}shot.json' for num_shots in (1, 5)
    ]
    for file, num_shots in zip(written, (1, 5)):
        content = json.loads(file.read_text())
        expected = official_draw(pools, num_shots, EPISODES[subset])
        assert content['episodes'] == expected
        pairs = sum(len(record['queries']) for record in content['episodes'])
        assert pairs == NUM_CATEGORIES[subset] * EPISODES[subset] * 15
        if subset == 'test':
            assert pairs == 60_000
        ids = [list(record.values()) for record in expected]
        text = json.dumps(ids, separators=(',', ':'))
        assert content['episodes_sha256'] == hashlib.sha256(text.encode()).hexdigest()
        file_hash = hashlib.sha256(path.read_bytes()).hexdigest()
        assert content['ann_file_sha256'] == file_hash
        assert content['num_shots'] == num_shots
        assert content['protocol'].startswith('official MP-100 draw: random.seed(1), ')


def test_the_ten_files_are_worth_the_test(mp100_annotations):
    """Boxes that the cleaning drops; not one of 150 lists is in the order of ids."""
    total_dropped = num_unordered = 0
    for split, subset in FILES:
        path = mp100_annotations / f'mp100_split{split}_{subset}.json'
        pools, num_dropped = reference_order(path)
        total_dropped += num_dropped
        num_unordered += sum(pool != sorted(pool) for pool in pools.values())
    assert (total_dropped, num_unordered) == (8, 150)
