"""Results stay on the disk: writing them takes no more memory for a longer video."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cape_mm.errors import ConfigError
from cape_mm.formats import FORMATS, LabelSet, write_labels
from cape_mm.inference import InferenceResult, SkippedInput
from cape_mm.inference.prediction_files import PredictedPictures
from cape_mm.inference.prediction_log import LoggedResults, PredictionLog
from cape_mm.inference.sources import Source

NUM_KEYPOINTS = 17
VIDEO, PICTURE = Source('a.mp4', 'a.mp4'), Source('b.png', 'b.png')


def open_log(out: Path, force: bool = False, **settings) -> PredictionLog:
    return PredictionLog(out, settings, [VIDEO, PICTURE], ['made.json'], force)


def make_result(seed: int, frame: int | None) -> InferenceResult:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 60, (1, NUM_KEYPOINTS, 2)).round(3)
    scores = rng.uniform(0, 1, (1, NUM_KEYPOINTS)).round(4)
    box = np.array([[0.0, 0, 64, 60]])
    return InferenceResult('a.mp4', frame, (64, 60), points, scores, scores, box)


def store(out: Path, num_frames: int) -> LoggedResults:
    """Results of a video as a finished run leaves them."""
    with open_log(out) as log:
        for frame in range(num_frames):
            log.add(make_result(frame, frame))
        log.finish([])
    return LoggedResults(log, NUM_KEYPOINTS)


def peak(out: Path, num_frames: int, kind: str) -> int:
    """Most bytes that writing a format takes at a time."""
    results = store(out, num_frames)
    names = tuple(map(str, range(NUM_KEYPOINTS)))
    is_known = np.ones(NUM_KEYPOINTS, bool)
    pictures = PredictedPictures(results, {'a.mp4': 'a.mp4'}, is_known)
    tracemalloc.start()
    write_labels(LabelSet('x', names, (), pictures), out, kind)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return largest


@pytest.mark.parametrize('kind', sorted(FORMATS.keys() - {'labelme'}))
def test_memory_does_not_grow_with_the_video(kind, tmp_path):
    short, long = (peak(tmp_path / str(n), n, kind) for n in (50, 300))
    assert long < 2 * short


def test_results_come_back_as_they_were_any_number_of_times(tmp_path):
    results = store(tmp_path, 30)
    for found in (list(results), list(results)):
        assert [one.frame for one in found] == list(range(30))
        for one in found:
            expected = make_result(one.frame, one.frame)
            for name in ('keypoints', 'confidence', 'visibility', 'boxes'):
                values = getattr(one, name), getattr(expected, name)
                np.testing.assert_array_equal(*values)
    unknown = replace(
        make_result(0, None), visibility=np.full((1, NUM_KEYPOINTS), np.nan)
    )
    empty = replace(unknown, **{name: getattr(unknown, name)[:0] for name in
                    ('keypoints', 'confidence', 'visibility', 'boxes')})  # fmt: skip
    with open_log(tmp_path) as log:
        log.add(unknown)
        log.add(empty)
        log.finish([SkippedInput('b.png', None, 'why')])
    *_, one, other = LoggedResults(log, NUM_KEYPOINTS)
    assert np.isnan(one.visibility).all() and other.keypoints.shape == (0, 17, 2)
    assert LoggedResults(log, 17).skipped() == [SkippedInput('b.png', None, 'why')]


@pytest.mark.parametrize('rest', [b'', b'{"frame": 0', b'{"frame": 1}\n', b'\0\n{"en'])
def test_what_follows_the_last_end_is_forgotten(tmp_path, rest):
    store(tmp_path, 3)
    path = tmp_path / 'results.jsonl'
    whole = path.read_bytes()
    path.write_bytes(whole + rest)
    with open_log(tmp_path) as log:
        assert log.num_done == 1
    assert path.read_bytes() == whole


def test_another_run_is_left_alone_unless_forced(tmp_path):
    store(tmp_path, 3)
    with pytest.raises(ConfigError, match=r'other a\): results.jsonl.*--force'):
        open_log(tmp_path, a=1)
    with open_log(tmp_path, force=True, a=1) as log:
        assert log.num_done == 0
    (tmp_path / 'results.jsonl').write_text('mine')
    with pytest.raises(ConfigError, match=r'other files\): results.jsonl'):
        open_log(tmp_path, a=1)


@pytest.mark.parametrize('place', ['made', 'made/sub/deep'])
def test_nothing_is_written_through_a_link(place, tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    link = tmp_path / 'out' / place
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(ConfigError, match=f'{place} is a link to another folder'):
        PredictionLog(tmp_path / 'out', {}, [PICTURE], ['made'], force=True)
