"""The check as a whole: verdict, exit code, counts, nothing said about sound data."""

import json
import shutil

import pytest
from episode_data import CocoTree

from cape_mm.data_tools.checking import check_dataset, format_report
from cape_mm.errors import MissingDataError

FEW = dict(num_shots=1, num_queries=3)


@pytest.fixture
def tree(coco_tree):
    """Two categories, of 6 and 5 images."""
    coco_tree.fill(1, num_images=6)
    coco_tree.fill(2, num_images=5, num_keypoints=5)
    return coco_tree


def kinds_of(report):
    return {finding.kind for _, finding in report.all_findings()}


def items_of(report, kind):
    return [i for _, f in report.all_findings() if f.kind == kind for i in f.items]


@pytest.mark.parametrize('image_folder', ['images', '.'])
def test_sound_data_are_clean_in_both_layouts(tmp_path, image_folder):
    tree = CocoTree(tmp_path / 'data', image_folder)
    tree.fill(1, num_images=4)
    tree.write()
    report = check_dataset(tree.root, decode=True, num_workers=1, **FEW)
    assert (report.exit_code, report.verdict) == (0, 'clean')
    assert list(report.all_findings()) == []
    (file,) = report.files
    assert (file.num_images, file.num_annotations, file.num_kept) == (4, 4, 4)
    assert (file.retention, file.num_available) == (100, 4)
    (row,) = file.categories
    assert (row.num_keypoints, row.num_images, row.is_enough) == (4, 4, True)
    assert (row.num_edges, row.num_isolated) == (3, 0)
    assert {image.size_on_disk for image in report.images} == {(48, 40)}


def test_missing_image_is_a_gap(tree):
    tree.image_path(2).unlink()
    path = tree.write()
    report = check_dataset(path, **FEW)
    assert report.exit_code == 1
    assert items_of(report, 'image: missing') == [str(tree.image_path(2))]
    (file,) = report.files
    assert (file.num_kept, file.num_available) == (11, 10)
    assert file.exit_code == 0  # the image is the set's business: others may share it


def test_all_images_missing_is_unusable(tree):
    shutil.rmtree(tree.image_folder)
    report = check_dataset(tree.write(), **FEW)
    assert report.exit_code == 2
    assert 'no image can be used' in kinds_of(report)
    assert len(report.missing_images) == 11


def test_category_that_missing_images_made_too_small(tree):
    for image_id in (7, 8):
        tree.image_path(image_id).unlink()
    report = check_dataset(tree.write(), **FEW)
    assert report.exit_code == 1
    assert items_of(report, 'too few images left for 1 + 3') == ['2 cat2 (3 of 5)']
    assert report.files[0].usable_category_ids == {1}


def test_instances_that_share_images_are_not_enough(coco_tree):
    coco_tree.fill(1, num_images=2, per_image=3)
    report = check_dataset(coco_tree.write(), **FEW)
    assert report.exit_code == 0  # three on the other image
    report = check_dataset(coco_tree.write(), num_shots=1, num_queries=4)
    assert items_of(report, 'too few instances for 1 + 4') == ['1 cat1 (6 on 2 images)']


def test_file_that_the_reader_refuses_is_unusable_but_counted(tree):
    tree.content['annotations'][0]['id'] = '100'
    report = check_dataset(tree.write(), **FEW)
    (file,) = report.files
    assert report.exit_code == 2
    assert (file.num_annotations, file.num_kept) == (11, 10)
    assert round(file.retention, 2) == 90.91


def test_malformed_annotations_are_a_gap_each_with_its_id(tree):
    annotations = tree.content['annotations']
    annotations[0]['keypoints'][0] = float('nan')
    annotations[7]['keypoints'] += [1.0]
    report = check_dataset(tree.write(), **FEW)
    assert report.exit_code == 1
    assert report.files[0].dropped == {
        'keypoint not finite': [100],
        'wrong number of keypoints': [107],
    }


def test_other_json_files_of_a_root_are_left_aside(tree):
    tree.write()
    other = tree.root / 'notes.json'
    other.write_text('{"a": 1}')
    report = check_dataset(tree.root, **FEW)
    assert (report.skipped, report.exit_code) == ([other], 0)
    assert check_dataset([other], **FEW).exit_code == 2  # asked for, it is checked
    (tree.root / 'data.json').unlink()
    with pytest.raises(MissingDataError, match=r'no annotation file among .*notes'):
        check_dataset(tree.root, **FEW)


def test_overlap_of_splits_is_a_gap(tree):
    tree.write('s_train.json')
    tree.write('s_test.json')
    report = check_dataset(tree.root, **FEW)
    assert report.exit_code == 1
    (text,) = items_of(report, 'train, val and test share categories')
    assert text == 's_test.json and s_train.json share 1 cat1, 2 cat2'


def test_images_that_do_not_decode_are_not_available(tree):
    tree.image_path(1).write_bytes(b'no image')
    tree.content['images'][1]['width'] = 4800
    path = tree.write()
    assert check_dataset(path, **FEW).exit_code == 0  # nobody looked into them
    report = check_dataset(path, decode=True, num_workers=1, **FEW)
    assert report.exit_code == 1
    assert items_of(report, 'image does not decode') == [str(tree.image_path(1))]
    (text,) = items_of(report, 'image size differs from the JSON')
    assert text == f'{tree.image_path(2)} (48x40 on disk, 4800x40 in the JSON)'
    assert report.files[0].num_available == 10


def test_dictionary_has_everything_and_is_json(tree):
    for image_id in range(1, 6):
        tree.image_path(image_id).unlink()
    tree.content['annotations'][9]['keypoints'] = []
    report = check_dataset(tree.write(), **FEW)
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (content['verdict'], content['exit_code']) == ('usable with gaps', 1)
    assert content['images']['num_missing'] == 5
    assert [row['path'] for row in content['images']['missing']] == [
        str(tree.image_path(image_id)) for image_id in range(1, 6)
    ]
    first = content['images']['missing'][0]
    assert (first['source'], first['category_ids']) == ('cat1', [1])
    assert first['problem'] == 'missing'
    (file,) = content['files']
    assert file['num_dropped'] == {'no keypoints': 1}
    assert file['retention_percent'] == 90.909
    assert [row['num_kept'] for row in file['categories']] == [6, 4]


def test_table_stays_short_and_names_the_worst(coco_tree):
    coco_tree.fill(99, num_images=1)
    for category_id in range(1, 41):
        coco_tree.add_category(category_id)
        for place in range(category_id % 3 + 1):
            image_id = len(coco_tree.content['images']) + 1
            name = f'cat{category_id}/{place}.jpg'
            record = dict(id=image_id, file_name=name, width=48, height=40)
            coco_tree.content['images'].append(record)
            coco_tree.add_annotation(image_id, category_id)
    text = format_report(check_dataset(coco_tree.write(), **FEW))
    lines = text.splitlines()
    assert len(lines) < 90
    assert max(map(len, lines)) < 400
    rows = [line.split() for line in lines]
    assert ['cat2', '3', '3'] in rows and ['all', '81', '80'] in rows
    assert 'verdict: unusable (exit code 2)' in text
    assert 'gap          80  image: missing [files]: ' in text
