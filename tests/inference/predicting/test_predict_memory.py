"""Results stay on the disk: writing them takes no more memory for a longer video."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from predict_cases import write_video

from cape_mm.formats import FORMATS, LabelSet, write_labels
from cape_mm.inference import InferenceResult
from cape_mm.inference.predicting import predict_files
from cape_mm.inference.predicting.merging import MergedResults, to_labels
from cape_mm.inference.predicting.parts import PartWriter, to_line
from cape_mm.inference.sources import Source

NUM_KEYPOINTS = 17


def store(out: Path, num_frames: int) -> MergedResults:
    """Results of a video as a finished run leaves them, blocks in a wrong order."""
    rng = np.random.default_rng(0)
    with PartWriter(out, 0) as writer:
        for start in reversed(range(0, num_frames, 10)):
            results = []
            for frame in range(start, start + 10):
                points = rng.uniform(0, 60, (1, NUM_KEYPOINTS, 2))
                scores = rng.uniform(0, 1, (1, NUM_KEYPOINTS))
                box = np.array([[0.0, 0, 64, 60]])
                fields = (points, scores, scores, box)
                results.append((0, InferenceResult('a.mp4', frame, (64, 60), *fields)))
            writer.write(to_line((0, start), results, []))
    return MergedResults(out, [Source('a.mp4', 'a.mp4')], NUM_KEYPOINTS, None)


def peak(out: Path, num_frames: int, kind: str) -> int:
    """Most bytes that writing a format takes at a time."""
    results = store(out, num_frames)
    names = tuple(map(str, range(NUM_KEYPOINTS)))
    is_known = np.ones(NUM_KEYPOINTS, bool)
    labels = to_labels(
        results, {'a.mp4': 'a.mp4'}, LabelSet('x', names, (), ()), is_known
    )
    tracemalloc.start()
    write_labels(labels, out, kind)
    largest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return largest


@pytest.mark.parametrize('kind', sorted(FORMATS.keys() - {'labelme'}))
def test_memory_does_not_grow_with_the_video(kind, tmp_path):
    short, long = (peak(tmp_path / str(n), n, kind) for n in (50, 300))
    assert long < 1.3 * short


def test_results_come_in_order_and_any_number_of_times(tmp_path):
    results = store(tmp_path, 30)
    first, second = list(results), list(results)
    assert [one.frame for one in first] == list(range(30))
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_what_is_left_is_counted_and_videos_are_told(request_, tmp_path, capfd):
    clip = write_video(tmp_path / 'clip.mp4', 12)
    request_ = replace(request_, queries=[clip], every=1, overlay=True)
    predict_files(request_)
    told = capfd.readouterr().err
    assert '12/12' in told.split('drawing the videos:')[0]
    assert '12/12' in told.split('drawing the videos:')[1]
    parts = Path(request_.out) / '.parts/rank0.jsonl'
    lines = parts.read_text().splitlines(keepends=True)
    parts.write_text(''.join(lines[2:]))  # two blocks of two frames are lost
    predict_files(request_)
    assert '4/4' in capfd.readouterr().err.split('drawing the videos:')[0]
