"""The files that the pages assume in their reader's folder, small and generated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from prepare_sources import NAMES, published_path

from cape_mm.data_tools.mp100_sources import SOURCES
from cape_mm.data_tools.preparation import prepare_mp100
from cape_mm.datasets.synthetic import write_synthetic_mp100

NUMBERED = {
    'COCO': 'human_body/{:012d}.jpg',
    '300W': 'human_face/helen/trainset/{}_1.jpg',
    'AFLW': 'amur_tiger_body/flickr/0/image{:05d}.jpg',
    'OneHand10K': 'human_hand/Train/source/{}.jpg',
    'DeepFashion2': 'skirt/{:06d}.jpg',
    'AP-10K': 'squirrel_body/{:012d}.jpg',
    'MacaquePose': 'macaque_body/{:016x}.jpg',
    'Vinegar Fly': 'fly_body/{}.jpg',
    'Desert Locust': 'locust_body/{}.jpg',
    'CUB-200': 'woodpecker_body/Red_Headed_Woodpecker_{:04d}_183414.jpg',
    'AnimalWeb': 'quokka_face/quokka_{}.jpg',
    'Keypoint-5': 'sofa/{:08d}.jpg',
}
"""MP-100's file names; CarFusion's need its labels, see test_prepare_mp100_tool.py."""
SUBSETS = ('train', 'val', 'test')
MARKED = 'mouse_001.jpg'


def write_reader_data(root: Path) -> None:
    """Everything in ``root`` that the pages take for granted, except checkpoints."""
    write_mp100(root)
    write_own_data(root)
    write_marked_picture(root)


def write_mp100(root: Path) -> None:
    """``downloads`` with twelve sources, and ``data/mp100`` as our tool prepares it."""
    made = root / 'made'
    draw(made, num_categories=dict(train=4, val=3, test=5), count=20, size=48)
    contents = [read(path) for path in sorted((made / 'annotations').iterdir())]
    parts = [part for content in contents for part in split_by_category(content)]
    for part, (source, pattern) in zip(parts, NUMBERED.items(), strict=True):
        rename(part, source, pattern, made / 'images', root / 'downloads')
    shutil.copytree(root / 'downloads/AFLW/aflw', root / 'other/disk/aflw')
    write_splits(root / 'data/mp100/annotations', parts)
    sources = {
        name: root / 'downloads' / published_path(NAMES[name]).split('/')[0]
        for name in NUMBERED
    }
    prepare_mp100(root / 'data/mp100', sources)


def draw(root: Path, num_categories: dict[str, int], count: int, size: int) -> None:
    """Generated objects: ``count`` of each category, each on a picture of ``size``."""
    write_synthetic_mp100(
        root,
        num_workers=1,
        num_categories=num_categories,
        instances_per_category=count,
        image_size=size,
        empty_share=0.0,
        double_share=0.0,
    )


def read(path: Path) -> dict:
    """Content of a JSON file."""
    return json.loads(path.read_text(encoding='utf-8'))


def write(path: Path, content: dict) -> Path:
    """Write a JSON file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding='utf-8')
    return path


def split_by_category(content: dict) -> Iterator[dict]:
    """An annotation file's records, category by category."""
    for category in content['categories']:
        kept = [a for a in content['annotations'] if a['category_id'] == category['id']]
        ids = {annotation['image_id'] for annotation in kept}
        images = [image for image in content['images'] if image['id'] in ids]
        yield dict(categories=[category], images=images, annotations=kept)


def rename(part: dict, source: str, pattern: str, made: Path, downloads: Path) -> None:
    """Give a category an id and files of MP-100, in place; move its pictures."""
    folder = pattern.partition('/')[0]
    folders = SOURCES[source].folders
    category_id = next(i for i, name in folders.items() if name == folder)
    part['categories'][0]['id'] = category_id
    for annotation in part['annotations']:
        annotation['category_id'] = category_id
    for number, image in enumerate(part['images'], start=1):
        old, image['file_name'] = image['file_name'], pattern.format(number)
        target = downloads / published_path(image['file_name'])
        target.parent.mkdir(parents=True, exist_ok=True)
        (made / old).rename(target)


def write_splits(folder: Path, parts: list[dict]) -> None:
    """Five splits of four, three and five categories, each a turn of the one before.

    The last file counts its skeletons from 1, as some of the first release do.
    """
    for split in range(1, 6):
        turned = [*parts[split:], *parts[:split]]
        chosen = dict(zip(SUBSETS, (turned[:4], turned[4:7], turned[7:])))
        for subset, some in chosen.items():
            content = join(some)
            if split == 5 and subset == 'test':
                for category in content['categories']:
                    edges = category['skeleton']
                    category['skeleton'] = [[a + 1, b + 1] for a, b in edges]
            write(folder / f'mp100_split{split}_{subset}.json', content)


def join(parts: list[dict]) -> dict:
    """One annotation file of several categories."""
    keys = ('categories', 'images', 'annotations')
    joined = {key: [*chain(*(part[key] for part in parts))] for key in keys}
    return json.loads(json.dumps(joined))  # what is changed in one file stays in it


def write_own_data(root: Path) -> None:
    """``MY/DATA``, ``REAL`` and ``my.json`` with ``my/images``: COCO keypoints."""
    for name in ('MY/DATA', 'REAL'):
        few = dict(train=2, val=1, test=1)
        draw(root / name, num_categories=few, count=8, size=64)
        for path in (root / name / 'annotations').iterdir():
            path.rename(path.with_name(path.name.removeprefix('synthetic_split1_')))
    mp100 = root / 'data/mp100'
    (root / 'my').mkdir()
    (root / 'my/images').symlink_to(mp100 / 'images')
    shutil.copy(mp100 / 'annotations/mp100_split1_train.json', root / 'my.json')


def write_marked_picture(root: Path) -> None:
    """``one.json`` and ``support.json`` mark a picture, ``frames`` holds others."""
    part = next(split_by_category(read(root / 'REAL/annotations/val.json')))
    pictures = [root / 'REAL/images' / image['file_name'] for image in part['images']]
    shutil.copy(pictures[0], root / MARKED)
    (root / 'frames').mkdir()
    for picture in pictures[1:4]:
        shutil.copy(picture, root / 'frames')
    image = dict(part['images'][0], file_name=MARKED)
    marks = [a for a in part['annotations'] if a['image_id'] == image['id']]
    content = dict(categories=part['categories'], images=[image], annotations=marks)
    for name in ('one.json', 'support.json'):
        write(root / name, content)
