"""CarFusion: the scene is told by its labels, not by a number in the name."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from prepare_sources import SCENES, make_scene, write_bytes

from cape_mm.data_tools.preparation.matching import (
    BY_NAME_ALONE,
    Match,
    build_basename_index,
    has_points,
    match_image,
    possible_names,
    published_name,
)
from cape_mm.data_tools.preparation.wanted import (
    WantedImage,
    list_wanted_images,
    read_coco_files,
)

POINTS = ((10, 20), (30, 40), (50, 60))
OTHERS = ((11, 20), (30, 40), (50, 60))


def find(root: Path, points=POINTS, file_name: str = 'suv/1500801201.jpg') -> Match:
    wanted = WantedImage(
        file_name, 'CarFusion', (1920, 1080), (frozenset(points),) if points else ()
    )
    return match_image(wanted, build_basename_index(root, possible_names(wanted)))


@pytest.mark.parametrize(
    'file_name, published',
    [
        ('suv/1500801201.jpg', '8_1201.jpg'),  # scene 15, video 8, frame 1201
        ('bus/200005041.jpg', '0_5041.jpg'),
        ('bus/1401812000.jpg', '18_12000.jpg'),
        ('car/8_1201.jpg', None),
        ('car/x.jpg', None),
    ],
)
def test_published_name(file_name, published):
    assert published_name(file_name) == published


def test_scene_is_told_by_its_labels(tmp_path):
    for scene in SCENES:
        make_scene(tmp_path, scene, '8_1201', OTHERS)
    right = make_scene(tmp_path, SCENES[1], '8_1201', [*POINTS, (70, 80)])
    match = find(tmp_path)
    assert match.path == str(right) and not match.reason


def test_points_of_two_cars_are_not_mixed(tmp_path):
    image = make_scene(tmp_path, SCENES[0], '8_1201', POINTS[:2])
    labels = image.parent.with_name('gt') / '8_1201.txt'
    labels.write_text(labels.read_text() + '50,60,3,8,1\n')
    assert has_points(str(image), (frozenset(POINTS),)) is False
    assert has_points(str(image), (frozenset(POINTS[:2]), frozenset({(50, 60)})))
    assert not has_points(str(image), (frozenset(POINTS[:2]), frozenset({(9, 9)})))


def test_no_scene_fits(tmp_path):
    make_scene(tmp_path, SCENES[0], '8_1201', OTHERS)
    match = find(tmp_path)
    assert match.path is None and not match.is_ambiguous
    assert 'no scene has the annotated keypoints' in match.reason


@pytest.mark.parametrize('labels', [None, 'no numbers,x,1,1,1', b'\xff\xfe'])
def test_without_labels_nothing_is_guessed(labels, tmp_path):
    image = make_scene(tmp_path, SCENES[0], '8_1201', POINTS)
    path = image.parent.with_name('gt') / '8_1201.txt'
    path.unlink() if labels is None else write_bytes(path, labels)
    match = find(tmp_path)
    assert match.is_ambiguous and match.candidates == (str(image),)
    assert 'only the labels' in match.reason


def test_renamed_file_counts_less_than_a_proven_one(tmp_path):
    renamed = write_bytes(tmp_path / 'renamed/suv/1500801201.jpg', 'who knows')
    match = find(tmp_path)
    assert match.path == str(renamed) and match.reason == BY_NAME_ALONE
    right = make_scene(tmp_path, SCENES[0], '8_1201', POINTS)
    assert find(tmp_path).path == str(right)


def test_real_annotations_find_their_scenes(mp100_annotations, tmp_path):
    """Scenes made of the real keypoints, every frame also in scenes of other cars."""
    files = sorted(mp100_annotations.glob('mp100_split*.json'))[:3]
    images = [
        image
        for image in list_wanted_images(read_coco_files(files))
        if image.source == 'CarFusion'
    ]
    assert images and all(image.point_sets for image in images)
    expected, cars = {}, defaultdict(list)
    for image in images:
        scene, frame = divmod(int(Path(image.file_name).stem), 10**8)
        name = f'{frame // 10**5}_{frame % 10**5}'
        folder = tmp_path / f'train/scene{scene:02d}'
        cars[folder, name].extend(image.point_sets)  # a frame may show a car and a bus
        make_scene(tmp_path, 'test/decoy', name, [(x + 1, y) for x, y in POINTS])
        path = write_bytes(folder / f'images_jpg/{name}.jpg', f'{scene} {name}')
        expected[image.file_name] = str(path)
    for (folder, name), point_sets in cars.items():
        lines = [f'{x},{y},1,{i},1\n' for i, p in enumerate(point_sets) for x, y in p]
        write_bytes(folder / f'gt/{name}.txt', ''.join(lines))
    names = {name for image in images for name in possible_names(image)}
    index = build_basename_index(tmp_path, names)
    assert {i.file_name: match_image(i, index).path for i in images} == expected
