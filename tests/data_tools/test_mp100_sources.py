"""Facts about the sources of MP-100, and how their folders are told."""

from __future__ import annotations

import csv
import json
from collections import Counter

import pytest
from prepare_sources import NAMES, make_source_tree

from cape_mm.data_tools.mp100_sources import (
    CATEGORY_FOLDERS,
    SOURCES,
    UNKNOWN_SOURCE,
    guess_source_folders,
    source_of_image,
)
from cape_mm.errors import ConfigError, MissingDataError

CATEGORIES_PER_SOURCE = {
    'COCO': 1,
    '300W': 1,
    'AFLW': 1,
    'OneHand10K': 1,
    'DeepFashion2': 13,
    'AP-10K': 34,
    'MacaquePose': 1,
    'Vinegar Fly': 1,
    'Desert Locust': 1,
    'CUB-200': 8,
    'CarFusion': 3,
    'AnimalWeb': 30,
    'Keypoint-5': 5,
}
"""As the benchmark's authors state it."""


def test_thirteen_sources_cover_the_hundred_categories_once():
    assert {n: len(s.folders) for n, s in SOURCES.items()} == CATEGORIES_PER_SOURCE
    ids = [i for source in SOURCES.values() for i in source.folders]
    assert sorted(ids) == list(range(1, 101))
    folders = [f for source in SOURCES.values() for f in source.folders.values()]
    assert len(set(folders)) == 100
    assert len({source.key for source in SOURCES.values()}) == 13


@pytest.mark.parametrize(
    'file_name, category_id, source',
    [
        ('human_body/000000010069.jpg', 72, 'COCO'),
        ('human_face/helen/trainset/1037255513_1.jpg', 40, '300W'),
        # a trap: these are human faces
        ('amur_tiger_body/flickr/0/image00028.jpg', 18, 'AFLW'),
        ('human_hand/Train/source/1004.jpg', 80, 'OneHand10K'),
        ('skirt/001092.jpg', 1, 'DeepFashion2'),
        ('squirrel_body/000000051890.jpg', 33, 'AP-10K'),
        ('macaque_body/ZooD_0042.jpg', 92, 'MacaquePose'),
        ('fly_body/0.jpg', 66, 'Vinegar Fly'),
        ('locust_body/1.jpg', 44, 'Desert Locust'),
        ('woodpecker_body/Downy_Woodpecker_0001_184484.jpg', 14, 'CUB-200'),
        ('car/1300724694.jpg', 32, 'CarFusion'),
        ('quokka_face/quokka_13.jpg', 36, 'AnimalWeb'),
        ('chair/00000001.jpg', 45, 'Keypoint-5'),
    ],
)
def test_source_of_image(file_name, category_id, source):
    assert source_of_image(file_name, category_id) == source
    assert source_of_image(file_name) == source
    assert source_of_image(file_name.replace('/', '\\'), category_id) == source


@pytest.mark.parametrize(
    'file_name, category_id',
    [
        ('body_01/1.jpg', 72),
        ('human_hand/1.jpg', 3),  # another data set's folder of this name
        ('chair', 45),
        ('000001.jpg', 1),
        ('x/chair/00000001.jpg', 45),
        ('', None),
    ],
)
def test_no_source_is_made_up(file_name, category_id):
    assert source_of_image(file_name, category_id) == UNKNOWN_SOURCE


def test_every_image_of_the_real_files_has_its_source(mp100_annotations):
    files = sorted(mp100_annotations.glob('mp100_split*.json'))
    assert files
    seen = set()
    for file in files:
        content = json.loads(file.read_text())
        names = {image['id']: image['file_name'] for image in content['images']}
        for annotation in content['annotations']:
            category_id = annotation['category_id']
            name = names[annotation['image_id']]
            assert source_of_image(name, category_id) != UNKNOWN_SOURCE, name
            assert name.split('/')[0] == CATEGORY_FOLDERS[category_id]
            seen.add(category_id)
    assert len(seen) == 100


def test_folders_equal_the_table_of_the_categories(mp100_annotations):
    with open(mp100_annotations / 'mp100_categories.csv', newline='') as file:
        rows = [row for row in csv.DictReader(file) if row['id'].isdigit()]
    assert {int(r['id']): r['image_folder'] for r in rows} == CATEGORY_FOLDERS
    furniture = Counter(
        source_of_image(f'{row["image_folder"]}/x.jpg', int(row['id']))
        for row in rows
        if row['supercategory'] == 'furniture'
    )
    assert furniture == {'Keypoint-5': 5}


def test_made_trees_are_all_recognised(tmp_path):
    make_source_tree(tmp_path, NAMES.values())
    (tmp_path / 'holiday').mkdir()
    (tmp_path / 'coco.zip').write_text('x')
    (tmp_path / 'loop').symlink_to(tmp_path / 'loop')
    found = guess_source_folders(tmp_path)
    assert list(found) == list(NAMES)
    assert found['CUB-200'] == tmp_path / 'CUB_200_2011'


@pytest.mark.parametrize('name', ['ap-10k', 'AP_10K', 'ap10k', 'AP-10K'])
def test_spelling_does_not_matter(name, tmp_path):
    (tmp_path / name).mkdir()
    assert guess_source_folders(tmp_path) == {'AP-10K': tmp_path / name}


def test_one_clone_serves_fly_and_locust(tmp_path):
    (tmp_path / 'DeepPoseKit-Data').mkdir()
    assert list(guess_source_folders(tmp_path)) == ['Vinegar Fly', 'Desert Locust']


def test_two_candidates_are_refused(tmp_path):
    for name in ('ap-10k', 'AP10K'):
        (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match='could both be AP-10K.*--ap10k DIR'):
        guess_source_folders(tmp_path)


def test_nothing_recognised(tmp_path):
    (tmp_path / 'holiday').mkdir()
    with pytest.raises(MissingDataError, match='none of its folders has the name'):
        guess_source_folders(tmp_path)
    with pytest.raises(MissingDataError, match='there is no such folder'):
        guess_source_folders(tmp_path / 'nothing')
