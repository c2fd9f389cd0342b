"""Image files are looked for once: counted by folder, left out of training."""

import shutil
import unicodedata

import pytest
from episode_data import open_tree
from PIL import Image

from cape_mm.data_tools.checking import check_dataset
from cape_mm.data_tools.checking.findings import GAP
from cape_mm.datasets.image_files import image_size, look_for_images
from cape_mm.errors import AnnotationFormatError, MissingDataError


@pytest.fixture
def tree(coco_tree):
    """Categories 1 (complete), 2 (2 of 6 images gone), 3 (all 4 gone), 4 (unused)."""
    coco_tree.fill(1, num_images=6)
    coco_tree.fill(2, num_images=6, per_image=2)
    coco_tree.fill(3, num_images=4)
    coco_tree.add_category(4)
    for image_id in (8, 9):
        coco_tree.image_path(image_id).unlink()
    shutil.rmtree(coco_tree.image_folder / 'cat3')
    return coco_tree


def warnings_of(records):
    return [r.getMessage() for r in records if r.levelname == 'WARNING']


def test_worst_ten_folders_are_named(tmp_path, log_records):
    names = [f'f{i:02d}/{j}.jpg' for i in range(13) for j in range(20)]
    for name in names:
        if int(name[4:-4]) >= int(name[1:3]):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
    missing = look_for_images(names, str(tmp_path), 'there', 'a.json')
    assert len(missing) == 78
    (text,) = warnings_of(log_records)
    assert 'a.json: images: 78 of 260 files missing: f12 12 of 20, f11 11' in text
    assert 'f03 3 of 20, and 2 more folders; ' in text
    assert 'f02' not in text
    assert text.endswith(f'the first one is {tmp_path}/f01/0.jpg')


@pytest.mark.parametrize('train', [True, False])
def test_one_warning_counts_the_missing_files(tree, log_records, train):
    dataset = open_tree(tree, train=train)
    (message,) = warnings_of(log_records)
    assert 'images: 6 of 16 files missing: cat3 4 of 4, cat2 2 of 6;' in message
    assert message.endswith(f'the first one is {tree.image_path(8)}')
    assert dataset.num_missing_images == 6


def test_training_leaves_the_instances_out_of_its_pools(tree):
    dataset = open_tree(tree, train=True)
    pools = dataset.instances_by_category
    assert {key: len(pool) for key, pool in pools.items()} == {1: 6, 2: 8, 3: 0, 4: 0}
    assert not {8, 9} & {img_id for _, img_id in pools[2]}
    assert dataset.num_without_image == {2: 4, 3: 4}
    assert len(dataset) == 6 + 12 + 4
    gone = next(inst.ann_id for inst in dataset.index.instances if inst.img_id == 8)
    assert dataset.index[gone].category_id == 2


@pytest.mark.parametrize('train', [True, False])
@pytest.mark.parametrize('damage', ['folder moved', 'files gone'])
def test_all_files_missing_is_refused(coco_tree, train, damage):
    coco_tree.fill(1, num_images=3)
    shutil.rmtree(coco_tree.image_folder)
    if damage == 'files gone':
        coco_tree.image_folder.mkdir()
    first = coco_tree.image_path(1)
    with pytest.raises(MissingDataError) as info:
        open_tree(coco_tree, train=train)
    message = str(info.value)
    assert f'none of the 3 image files of {coco_tree.root / "data.json"} is' in message
    assert f'in {coco_tree.image_folder}/: ' in message
    assert f'first one expected is {first}. ' in message
    assert 'data_root and data_prefix' in message


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_an_image_that_the_disk_spells_in_another_form(coco_tree, form):
    """macOS takes letters and their accents apart."""
    coco_tree.fill(1, num_images=3)
    other = 'NFD' if form == 'NFC' else 'NFC'
    coco_tree.image_path(1).rename(
        coco_tree.image_folder / unicodedata.normalize(other, 'cat1/é.jpg')
    )
    name = unicodedata.normalize(form, 'cat1/é.jpg')
    coco_tree.content['images'][0]['file_name'] = name
    dataset = open_tree(coco_tree)
    assert dataset.load_instance(100, 0) is not None
    report = check_dataset(coco_tree.root / 'data.json', num_queries=2)
    assert report.exit_code == 0 and not report.missing_images


@pytest.mark.parametrize('size', [None, 0])
def test_a_picture_tells_the_size_that_its_entry_lacks(coco_tree, size):
    coco_tree.fill(1, num_images=3)
    told = [(image['width'], image['height']) for image in coco_tree.content['images']]
    for image in coco_tree.content['images']:
        image.update(width=size, height=size)
    del coco_tree.content['images'][0]['width']
    path = coco_tree.write()
    report = check_dataset(path, num_queries=2, decode=True, num_workers=1)
    assert report.exit_code == 0
    assert [image.sizes for image in report.images] == [{one} for one in told]
    assert len(open_tree(coco_tree).index) == 3
    coco_tree.image_path(1).unlink()
    with pytest.raises(AnnotationFormatError, match='image 1 .*(width|pixels)'):
        open_tree(coco_tree)


def test_a_picture_that_exif_turns_has_the_size_that_is_shown(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new('RGB', (8, 5)).save(tmp_path / 'a.jpg', exif=exif)
    assert image_size(str(tmp_path / 'a.jpg')) == (5, 8)
    assert image_size(str(tmp_path / 'none.jpg')) is None


def test_one_file_under_several_ids_is_one_picture(coco_tree):
    ids = coco_tree.fill(1, num_images=3)
    first, second, third = coco_tree.content['images']
    second['file_name'] = './' + first['file_name'].replace('/', '\\')
    dataset = open_tree(coco_tree)
    assert dataset.instances_by_category == {1: [(ids[0], 1), (ids[1], 1), (ids[2], 3)]}
    report = check_dataset(coco_tree.root / 'data.json', num_queries=1)
    (finding,) = [f for f in report.files[0].findings if 'several image ids' in f.kind]
    assert finding.severity == GAP
    assert finding.items == (f'{coco_tree.image_path(1)} (images 1, 2)',)


def test_a_skeleton_that_is_guessed_is_told(coco_tree, log_records):
    coco_tree.fill(1, num_images=3, skeleton=[[1, 2], [2, 3]])
    dataset = open_tree(coco_tree)
    assert dataset.categories[1].skeleton == ((0, 1), (1, 2))
    messages = [r.getMessage() for r in log_records if r.levelname == 'WARNING']
    assert 'cat1: the skeleton could count from 0 or from 1' in ' '.join(messages)
