"""Runs that are refused, before any work and without a trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from predict_cases import write_support

from cape_mm.errors import ConfigError, MissingDataError
from cape_mm.inference import PredictRequest, predict_files

OUTPUTS = ('predictions.json', 'predictions.csv')


def contents(request: PredictRequest) -> dict[str, bytes]:
    return {name: (Path(request.out) / name).read_bytes() for name in OUTPUTS}


@pytest.mark.parametrize(
    ('change', 'what'),
    [
        (dict(every=1), 'other every'),
        (dict(batch_size=3), 'other batch_size'),
        (dict(overlay=True), 'other overlay'),
        (dict(cfg_options={'model.test_cfg.mode': 'parallel'}), 'other cfg_options'),
    ],
)
def test_results_of_another_run_are_left_alone(request_, change, what):
    predict_files(request_)
    before = contents(request_)
    with pytest.raises(ConfigError, match=f'{what}.*--force'):
        predict_files(replace(request_, **change))
    assert contents(request_) == before
    predict_files(replace(request_, force=True, **change))
    is_other = change.keys() & {'every', 'cfg_options'}
    assert (contents(request_) != before) == bool(is_other)


def test_another_support_or_checkpoint_is_another_run(request_, checkpoint, tmp_path):
    predict_files(request_)
    other = write_support(tmp_path / 'other', bbox=[0, 0, 60, 50])
    with pytest.raises(ConfigError, match='other support'):
        predict_files(replace(request_, support=other))
    (tmp_path / 'copy.pth').write_bytes(checkpoint.read_bytes() + b'\0')
    with pytest.raises(ConfigError, match='other checkpoint'):
        predict_files(replace(request_, checkpoint=tmp_path / 'copy.pth'))


def test_files_of_someone_else_are_left_alone(request_):
    out = Path(request_.out)
    out.mkdir()
    (out / 'notes.txt').write_text('mine')
    (out / 'predictions.json').write_text('mine')
    with pytest.raises(ConfigError, match='predictions.json'):
        predict_files(request_)
    assert (out / 'predictions.json').read_text() == 'mine'
    predict_files(replace(request_, force=True))
    assert (out / 'notes.txt').read_text() == 'mine'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(formats=['coco', 'voc']), "one of .* got 'voc'"),
        (dict(every=0), 'every must be a whole number, at least 1'),
        (dict(batch_size=0), 'batch_size must be'),
        (dict(num_shots=2), 'only 1 instances of the support are labelled'),
        (dict(num_shots=-1), 'num_shots must be .* at least 0'),
        (dict(smooth='kalman'), 'smooth must be one of'),
        (dict(support_pictures=['b.png']), 'there are marked one.png'),
        (dict(category='rat'), "no category 'rat'"),
        (dict(skeleton=[(0, 9)]), 'out of range'),
    ],
)
def test_impossible_arguments(request_, change, message):
    with pytest.raises(ConfigError, match=message):
        predict_files(replace(request_, **change))
    assert not Path(request_.out).exists()


def test_supports_that_can_not_be_used(request_, tmp_path):
    empty = write_support(tmp_path / 'a', keypoints=[])
    with pytest.raises(ConfigError, match='no annotation has keypoints: mark some'):
        predict_files(replace(request_, support=empty))
    hidden = write_support(tmp_path / 'b', keypoints=[1, 2, 0] * 4)
    with pytest.raises(ConfigError, match='no keypoint is marked'):
        predict_files(replace(request_, support=hidden))
    outside = write_support(tmp_path / 'c', keypoints=[500, 2, 2] * 4)
    with pytest.raises(ConfigError, match='4 keypoints lie outside the picture'):
        predict_files(replace(request_, support=outside))
    scaled = write_support(tmp_path / 'e')
    text = scaled.read_text().replace('"width": 64', '"width": 128')
    scaled.write_text(text)
    with pytest.raises(ConfigError, match='made on 128 x 60 .* but .* has 64 x 60'):
        predict_files(replace(request_, support=scaled))
    gone = write_support(tmp_path / 'd')
    picture = tmp_path / 'd/images/marked one.png'
    moved = picture.rename(tmp_path / 'marked one.png')
    with pytest.raises(MissingDataError, match='Name its folder as support_images'):
        predict_files(replace(request_, support=gone))
    found = replace(request_, support=gone, support_images=moved.parent)
    assert predict_files(found).num_pictures == 11
    with pytest.raises(ConfigError, match='as LabelMe writes it, is not beside it'):
        predict_files(replace(request_, support=moved))


def test_a_file_where_the_overlays_go(request_, queries):
    out = Path(request_.out)
    out.mkdir()
    (out / 'overlays').write_text('')
    request_ = replace(request_, overlay=True, force=True)
    for query in ('mid clip.mp4', 'frame 0.png'):
        with pytest.raises(ConfigError, match='overlays.* can not be written'):
            predict_files(replace(request_, queries=[queries / query]))


def test_pictures_named_twice(request_, queries):
    with pytest.raises(ConfigError, match='is named twice'):
        predict_files(replace(request_, queries=[queries, queries / 'frame 0.png']))
