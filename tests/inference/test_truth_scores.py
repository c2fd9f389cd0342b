"""Predictions against a user's labels, on numbers worked by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from predict_cases import KEYPOINTS, NAMES, SIZE, write_support

from cape_mm.formats import LabelledInstance, LabelledPicture, LabelSet
from cape_mm.inference import InferenceResult, predict_files
from cape_mm.inference.labelled_support import LabelledSupport
from cape_mm.inference.picture_names import PictureNames
from cape_mm.inference.support import read_shots
from cape_mm.inference.truth_scores import match_boxes, match_keypoints, score_results

BOX = np.array([0.0, 0.0, *SIZE])


def support(tmp_path: Path) -> LabelledSupport:
    """One shot whose box is the whole picture."""
    write_support(tmp_path)
    path = tmp_path / 'images/marked one.png'
    instance = LabelledInstance(KEYPOINTS, np.full(4, 2), None, BOX)
    picture = LabelledPicture(path.name, SIZE, (instance,))
    labels = LabelSet('mouse', tuple(NAMES), (), (picture,))
    return LabelledSupport(labels, ((picture, instance),), (path,), 1)


def result(source: str, points: np.ndarray) -> InferenceResult:
    scores = np.ones((1, 4))
    return InferenceResult(source, None, SIZE, points[None], scores, scores, BOX[None])


def truth(name: str, points: np.ndarray, visibility=(2, 2, 2, 2)) -> LabelSet:
    instance = LabelledInstance(points, np.array(visibility), None, BOX)
    return LabelSet(
        'mouse', tuple(NAMES), (), (LabelledPicture(name, SIZE, (instance,)),)
    )


def score(found, labels, chosen):
    names = {one.source: Path(one.source).name for one in found}
    instances = [instance.keypoints for _, instance in chosen.shots]
    shots = read_shots([*map(str, chosen.paths)], instances, None, [BOX])
    return score_results(found, labels, chosen, shots, names)


def test_distances_are_shares_of_the_longer_side(tmp_path):
    shift = np.array([[0.0, 0], [7.04, 0], [0, 13.44], [32, 0]])
    found = [result('frames/a.png', KEYPOINTS + shift)]
    scores = score(found, truth('a.png', KEYPOINTS), support(tmp_path))
    np.testing.assert_allclose(scores.distances, [[0, 0.11, 0.21, 0.5]], atol=1e-9)
    # the support's own points are those of the truth; its box is clipped by a pixel
    np.testing.assert_allclose(scores.floor, 0, atol=0.02)
    assert scores.num_keypoints == 4 and scores.notes == ()
    row = next(one for one in str(scores).splitlines() if one.startswith('predicted'))
    assert row.split()[1:] == ['25.0', '25.0', '50.0', '0.205']


def test_hidden_truth_other_pictures_and_the_support_do_not_count(tmp_path):
    chosen = support(tmp_path)
    found = [result(str(chosen.paths[0]), KEYPOINTS), result('b.png', KEYPOINTS)]
    labelled = truth('marked one.png', KEYPOINTS)
    assert len(score(found, labelled, chosen).distances) == 0
    hidden = truth('b.png', KEYPOINTS, (2, 0, 1, 0))
    scores = score(found, hidden, chosen)
    assert (len(scores.distances), scores.num_keypoints) == (1, 2)
    nothing = score(found, truth('c.png', KEYPOINTS), chosen)
    assert 'labels no keypoint' in str(nothing)


def test_labels_of_another_size_do_not_count(tmp_path):
    labels = truth('a.png', KEYPOINTS)
    (picture,) = labels.pictures
    small = replace(labels, pictures=(replace(picture, size=(32, 30)),))
    scores = score([result('a.png', KEYPOINTS)], small, support(tmp_path))
    assert len(scores.distances) == 0 and 'of another size than' in str(scores)


def test_objects_of_a_picture_that_is_listed_twice_all_count(tmp_path):
    labels = truth('a.png', KEYPOINTS)
    shifted = replace(labels.pictures[0].instances[0], bbox=BOX + [40, 0, -40, 0])
    pictures = (*labels.pictures, replace(labels.pictures[0], instances=(shifted,)))
    found = result('a.png', KEYPOINTS)
    scores = score([found], replace(labels, pictures=pictures), support(tmp_path))
    assert (len(scores.distances), scores.num_missed) == (1, 1)


def test_keypoints_are_compared_by_the_names_that_both_have(tmp_path):
    mixed = truth('a.png', KEYPOINTS[::-1])
    for names in (NAMES[::-1], [NAMES[3], 'other', *NAMES[1::-1]]):
        labels = replace(mixed, keypoint_names=tuple(names))
        scores = score([result('a.png', KEYPOINTS)], labels, support(tmp_path))
        np.testing.assert_allclose(np.nan_to_num(scores.distances), 0, atol=1e-9)
        assert scores.num_keypoints == len(set(names) & set(NAMES))
    assert '1 keypoints are not in it: tail' in str(scores)
    assert '1 keypoints are not in the support: other' in str(scores)


@pytest.mark.parametrize('truth', ['abcd', 'abc', 'abcde'])
def test_keypoints_are_compared_by_place_where_no_name_is_shared(truth):
    places, (note,) = match_keypoints(tuple(truth), tuple(NAMES))
    assert places.tolist() == [0, 1, 2, -1 if truth == 'abc' else 3]
    assert 'compared by their order' in note


def test_boxes_that_overlap_most_belong_together():
    first = np.array([[0.0, 0, 10, 10], [50, 50, 10, 10], [200, 0, 5, 5]])
    second = np.array([[52.0, 52, 10, 10], [1, 1, 10, 10]])
    assert match_boxes(first, second) == [(0, 1), (1, 0)]
    assert match_boxes(first[:1], second[:1]) == [(0, 0)]  # whatever they are
    assert match_boxes(first, second[:0]) == []


A, B = 'q/videoA/1.png', 'q/videoB/1.png'


@pytest.mark.parametrize(
    ('labels', 'pictures', 'found', 'guessed'),
    [
        (['videoA/1.png'], [A, B], {A: 'videoA/1.png'}, []),
        (['videoA\\1.png'], [A, B], {A: 'videoA\\1.png'}, []),
        (['videoA/1.png'], [B], {B: 'videoA/1.png'}, [B]),
        (['1.png'], [A, B], {}, []),
        (['1.png'], [A], {A: '1.png'}, [A]),
        (['1.png'], ['1.png', A], {'1.png': '1.png'}, []),
        (['x/1.png', 'y/1.png'], [A], {}, []),
        (['x/1.png', 'y/1.png'], [A, B], {}, []),
        (['1.png', 'videoA/1.png'], [A], {A: 'videoA/1.png'}, []),
        (['1.png', 'videoA/1.png'], [A, B], {A: 'videoA/1.png'}, []),
        (['/data/videoA/1.png', '/data/videoB/1.png'], [B], {B: '/data/videoB/1.png'},
         [B]),
        (['../videoA/1.png'], [A, B], {A: '../videoA/1.png'}, []),
        (['C:\\x\\1.png'], [A], {A: 'C:\\x\\1.png'}, [A]),
        (['videoA/1'], [A, B], {A: 'videoA/1'}, []),
        (['clip'], ['q/clip.mp4', 'q/clip.mp4.mp4'], {'q/clip.mp4': 'clip'}, []),
        (['1.png'], ['q/1.png.jpg'], {}, []),
        (['u\u0308.png'], ['q/\u00fc.png'], {'q/\u00fc.png': 'u\u0308.png'}, []),
        (['2.png'], [A], {}, []),
        (['', '.'], [A], {}, []),
        (['s1/cam/1.png', 's2/cam/1.png'], ['q/s3/cam/1.png'], {}, []),
    ],
)  # fmt: skip
def test_labels_are_found_by_exact_names_first(labels, pictures, found, guessed):
    names = {path: path.removeprefix('q/') for path in pictures}
    index = PictureNames(labels, names)
    assert {p: index.find(p) for p in pictures if index.find(p)} == found
    assert index.guessed == guessed
    assert ('last part of the name alone' in str(index.notes())) == bool(guessed)


@pytest.mark.parametrize(
    ('labels', 'pictures', 'found'),
    [
        (['A.PNG'], ['q/a.png'], {'q/a.png': 'A.PNG'}),
        (['x/A.PNG'], ['q/a.png'], {'q/a.png': 'x/A.PNG'}),
        (['A.PNG', 'a.png'], ['q/a.png'], {'q/a.png': 'a.png'}),
        (['A.PNG', 'A.png'], ['q/a.png'], {}),
        (['A.PNG'], ['q/a.png', 'q/a.Png'], {}),
        (['Straße.png'], ['q/strasse.png'], {}),
    ],
)
def test_capital_letters_come_last(labels, pictures, found):
    index = PictureNames(labels, {path: path[2:] for path in pictures})
    assert {p: index.find(p) for p in pictures if index.find(p)} == found
    is_told = 'differ in capital letters: q/a.png' in str(index.notes())
    assert is_told == (list(found.values()) != ['a.png'] and bool(found))


@pytest.mark.parametrize('folder', ['labeled-data/clip', '/p/labeled-data/clip'])
def test_labels_of_extracted_frames_are_those_of_the_video(folder, tmp_path):
    labels, chosen = truth(f'{folder}/img07.png', KEYPOINTS), support(tmp_path)
    found = [replace(result('q/clip.mp4', KEYPOINTS), frame=n) for n in range(9)]
    scores = score(found, labels, chosen)
    assert len(scores.distances) == 1
    assert len(score(found[:7], labels, chosen).distances) == 0
    other = truth('labeled-data/other/img07.png', KEYPOINTS)
    assert len(score(found, other, chosen).distances) == 0
    picture = result('q/labeled-data/clip/img07.png', KEYPOINTS)
    assert len(score([picture], labels, chosen).distances) == 1


def test_labels_that_fit_several_pictures_are_told():
    index = PictureNames(['1.png'], {A: 'videoA/1.png', B: 'videoB/1.png'})
    assert index.left == ['1.png'] and '1 labels were not used' in str(index.notes())
    several = PictureNames(['videoA/1.png', 'videoC/1.png'], {A: 'videoA/1.png'})
    assert several.notes() == []  # labels of other pictures are nothing to tell


def test_a_run_tells_how_near_it_is(request_, tmp_path):
    labels = write_support(tmp_path / 'truth')
    content = json.loads(labels.read_text())
    content['images'][0]['file_name'] = 'frame 0.png'
    labels.write_text(json.dumps(content))
    done = predict_files(replace(request_, truth=labels))
    assert 'truth: 1 instances with 4 keypoints' in str(done)
    assert 'copied support' in str(done)
