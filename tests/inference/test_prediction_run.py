"""Whole runs: order, going on, and the files that come out."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from predict_cases import (
    KEYPOINTS,
    NAMES,
    SKELETON,
    make_picture,
    write_pictures,
    write_support,
)

from cape_mm.errors import ConfigError
from cape_mm.inference import PredictRequest, predict_files, prediction_run
from cape_mm.inference.overlays import overlay_path
from cape_mm.inference.picture_names import read_boxes
from cape_mm.inference.prediction_log import PredictionLog

PICTURES = [f'frame {n}.png' for n in range(5)] + ['z/ünï.jpg', 'z/y.bmp']
OUTPUTS = ('predictions.json', 'predictions.csv')


def contents(request: PredictRequest) -> dict[str, bytes]:
    return {name: (Path(request.out) / name).read_bytes() for name in OUTPUTS}


@pytest.fixture
def expected(request_, tmp_path) -> dict[str, bytes]:
    """Files of a run by one process without interruption."""
    out = tmp_path / 'expected'
    predict_files(replace(request_, out=out))
    return {name: (out / name).read_bytes() for name in OUTPUTS}


def test_all_inputs_are_predicted_in_order(request_, queries):
    done = predict_files(request_)
    assert (done.num_pictures, done.num_instances, done.skipped) == (11, 11, ())
    content = json.loads((Path(request_.out) / 'predictions.json').read_text())
    names = [image['file_name'] for image in content['images']]
    assert names == [
        *PICTURES[:5],
        *(f'mid clip.mp4/frame_{n:06d}.png' for n in (0, 2, 4, 6)),
        'z/y.bmp',
        'z/ünï.jpg',
    ]
    (category,) = content['categories']
    assert category['keypoints'] == NAMES and category['name'] == 'mouse'
    assert category['skeleton'] == [list(edge) for edge in SKELETON]
    with open(Path(request_.out) / 'predictions.csv', encoding='utf-8') as file:
        assert len(list(csv.DictReader(file))) == 11 * 4


def test_predictions_are_the_inferencers_own(request_, queries, inferencer):
    predict_files(request_)
    content = json.loads((Path(request_.out) / 'predictions.json').read_text())
    picture = make_picture(0)  # as that which is marked
    inferencer.set_support(picture, KEYPOINTS, SKELETON, bbox=[4, 5, 55, 50])
    for index, name in ((0, PICTURES[0]), (10, 'z/ünï.jpg')):
        (result,) = inferencer(queries / name)
        triplets = np.reshape(content['annotations'][index]['keypoints'], (-1, 3))
        np.testing.assert_allclose(triplets[:, :2], result.keypoints[0], atol=2e-3)
        scores = content['annotations'][index]['keypoint_scores']
        np.testing.assert_allclose(scores, result.confidence[0], atol=1e-3)


@pytest.mark.parametrize('num_lines', [0, 1, 3, 7, 12])
def test_an_interrupted_run_goes_on(request_, expected, monkeypatch, num_lines):
    written = []
    write = PredictionLog._write

    def write_some(self, line):
        if len(written) == num_lines:
            self._file.write(b'{"frame": 0, "siz')  # cut off
            raise KeyboardInterrupt
        written.append(line)
        write(self, line)

    monkeypatch.setattr(PredictionLog, '_write', write_some)
    with pytest.raises(KeyboardInterrupt):
        predict_files(request_)
    assert not (Path(request_.out) / 'predictions.json').exists()
    monkeypatch.setattr(PredictionLog, '_write', lambda self, line: (
        written.append(line), write(self, line)))  # fmt: skip
    predict_files(request_)
    assert contents(request_) == expected
    ends = [line['end'] for line in written if 'end' in line]
    assert ends == list(range(8))  # nothing was done twice


def test_a_finished_run_is_only_written_again(request_, expected, monkeypatch):
    predict_files(request_)
    monkeypatch.setattr(PredictionLog, '_write', lambda self, line: 1 / 0)
    predict_files(replace(request_, formats=('coco', 'csv', 'labelme')))
    assert contents(request_) == expected


def test_one_bad_box_of_a_video_leaves_its_other_frames(request_, monkeypatch, queries):
    def detect(image, seen=[]):  # noqa: B006
        seen.append(0)
        return [[500, 500, 5, 5]] if len(seen) == 2 else [[0, 0, 30, 30]]

    monkeypatch.setattr(prediction_run, 'find_boxes', lambda *given: (detect, []))
    clip = replace(request_, queries=[queries / 'mid clip.mp4'])
    done = predict_files(replace(clip, overlay=True))
    assert done.num_pictures == 3
    ((frame, reason),) = [(one.frame, one.reason) for one in done.skipped]
    assert frame == 2 and 'no area inside the picture' in reason
    path = Path(request_.out) / 'overlays/mid clip.mp4.mp4'
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) == 4


def test_overlays(request_, queries, tmp_path):
    request_ = replace(request_, overlay=True)
    predict_files(request_)
    folder = Path(request_.out) / 'overlays'
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob('*.*'))
    assert found == [
        *(f'{name}.jpg' for name in PICTURES[:5]),
        'mid clip.mp4.mp4',
        'z/y.bmp.jpg',
        'z/ünï.jpg.jpg',
    ]
    drawn = cv2.imread(str(folder / f'{PICTURES[0]}.jpg'))
    assert np.abs(drawn.astype(int) - make_picture(0)).max() > 60
    clip = cv2.VideoCapture(str(folder / 'mid clip.mp4.mp4'))
    assert clip.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    assert clip.get(cv2.CAP_PROP_FPS) == 5
    folder = shutil.copytree(queries, tmp_path / 'copy')
    within = replace(request_, queries=[folder], out=folder / 'out')
    inside, again = predict_files(within), predict_files(within)
    assert inside.num_pictures == again.num_pictures == 11  # no overlay of overlays


def test_no_two_overlays_share_a_place(tmp_path):
    names = ['a.png', 'a.png.jpg', 'a.jpg', 'a.jpg.jpg', 'a.jpeg']
    assert len({overlay_path(tmp_path, name) for name in names}) == len(names)


def test_smoothing_changes_frames_alone(request_, expected):
    predict_files(replace(request_, smooth='one_euro'))
    plain = json.loads(expected['predictions.json'])
    smooth = json.loads((Path(request_.out) / 'predictions.json').read_text())
    for one, other, image in zip(
        plain['annotations'], smooth['annotations'], plain['images']
    ):
        is_later_frame = image.get('frame', 0) > 0
        assert (one['keypoints'] != other['keypoints']) == is_later_frame
        assert one['score'] == other['score']


def test_boxes_of_a_file(request_, queries, tmp_path):
    path = tmp_path / 'boxes.json'
    images = [
        dict(id=n, file_name=name, width=64, height=60)
        for n, name in enumerate([PICTURES[0], 'elsewhere/ünï.jpg'])
    ]
    boxes = [(0, [1, 2, 20, 20]), (0, [5, 5, 40, 40]), (1, [0, 0, 30, 30])]
    anns = [
        dict(id=n, image_id=image, category_id=1, bbox=box)
        for n, (image, box) in enumerate(boxes)
    ]
    categories = [dict(id=1, name='mouse')]
    content = dict(images=images, annotations=anns, categories=categories)
    path.write_text(json.dumps(content))
    done = predict_files(replace(request_, boxes=path, queries=[queries / '*.png']))
    assert done.num_instances == 2
    assert {one.reason for one in done.skipped} == {f'has no box in {path}'}
    assert len(done.skipped) == 4
    content['annotations'][0]['bbox'] = [500, 500, 10, 10]
    path.write_text(json.dumps(content))
    other = replace(request_, boxes=path, out=tmp_path / 'other')
    done = predict_files(replace(other, queries=[queries / 'z', queries / PICTURES[0]]))
    (bad, _) = sorted(done.skipped, key=lambda one: 'no area' not in one.reason)
    assert 'has no area inside the picture' in bad.reason
    with pytest.raises(ConfigError, match="no box of category 'rat'; .* 1 'mouse'"):
        read_boxes(path, 'rat')
    content['annotations'][1]['bbox'] = [1, 2, 3]
    content['images'][1] = dict(id=1, file_name='..\\elsewhere\\u\u0308.jpg')
    path.write_text(json.dumps(content))
    known, notes = read_boxes(path, 'mouse')
    assert {key: len(own) for key, own in known.items()} == {
        PICTURES[0]: 1,
        '../elsewhere/ü.jpg': 1,
    }
    assert notes == ['1 malformed boxes: 1']


def test_boxes_and_truth_are_those_of_the_supports_category(request_, tmp_path):
    """Its id is another one, or another's, in other files."""
    path = write_support(tmp_path / 'other')
    content = json.loads(path.read_text())
    content['images'][0]['file_name'] = PICTURES[0]
    content['categories'] = [
        content['categories'][0] | dict(id=7),
        dict(id=1, name='rat', keypoints=['a'], skeleton=[]),
    ]
    (ann,) = content['annotations']
    other = dict(ann, id=2, category_id=1, keypoints=[1, 2, 2], bbox=[0, 0, 9, 9])
    content['annotations'] = [ann | dict(category_id=7), other]
    path.write_text(json.dumps(content))
    query = Path(request_.queries[0]) / PICTURES[0]
    for category in (None, '1', 'mouse'):
        run = replace(request_, queries=[query], boxes=path, truth=path, force=True)
        done = predict_files(replace(run, category=category))
        assert (done.num_instances, done.scores.num_keypoints) == (1, 4)


def test_a_picture_with_labelme_beside_it(request_, tmp_path):
    (picture,) = write_pictures(tmp_path, ['my mouse.png'])
    shapes = [
        dict(label=name, points=[point.tolist()], shape_type='point')
        for name, point in zip(NAMES, KEYPOINTS)
    ]
    content = dict(shapes=shapes, imagePath=picture.name, imageWidth=64, imageHeight=60)
    picture.with_suffix('.json').write_text(json.dumps(content))
    edges = [(0, 1), (1, 2)]
    done = predict_files(replace(request_, support=picture, skeleton=edges))
    assert done.num_pictures == 11
    content = json.loads((Path(request_.out) / 'predictions.json').read_text())
    assert content['categories'][0]['skeleton'] == [[0, 1], [1, 2]]
    assert content['categories'][0]['keypoints'] == NAMES


def test_the_list_of_skipped_inputs_is_that_of_the_last_run(request_, queries):
    bad = Path(request_.out).parent / 'bad.png'
    bad.write_bytes(b'nothing')
    mixed = replace(request_, queries=[queries / PICTURES[0], bad])
    assert len(predict_files(mixed).skipped) == 1
    listed = Path(request_.out) / 'skipped.csv'
    assert 'does not decode' in listed.read_text()
    predict_files(replace(request_, force=True))
    assert not listed.exists()


def test_few_of_many_notes_are_printed():
    notes = tuple(f'{n}.gif: animated' for n in range(1000))
    told = str(prediction_run.Predicted((), 1000, 1000, (), notes)).splitlines()
    assert len(told) < 30
    assert told[-1] == 'note: ... and 980 more'
