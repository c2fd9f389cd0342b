"""Labels that tax a format: several objects, hidden and missing points, odd names."""

from __future__ import annotations

import numpy as np

from cape_mm.formats import LabelledInstance, LabelledPicture, LabelSet

NAMES = ('nose', 'left, "ear"', 'Fuß & tail', 'new\u00e9')
SKELETON = ((0, 1), (1, 2))
"""Keypoint 3 has no edge: whether it counts from 0 or 1 can not be told from it."""


def make_instance(seed: int, has_scores: bool) -> LabelledInstance:
    """An object with one hidden keypoint, and but for the first with a missing one."""
    rng = np.random.default_rng(seed)
    visibility = np.array([2, 1, 0 if seed else 2, 2])
    points = rng.uniform(1, 60, (4, 2)).round(3)
    scores = rng.uniform(0.1, 1, 4).round(4)
    return LabelledInstance(
        np.where(visibility[:, None] > 0, points, 0.0),
        visibility,
        np.where(visibility > 0, scores, 0.0) if has_scores else None,
        rng.uniform(1, 50, 4).round(3),
    )


def make_labels(has_scores: bool, has_frames: bool = False) -> LabelSet:
    """Pictures of two, one and no objects; or frames of a video."""
    counts = {'a b/ünï #1&2+3%41.png': 2, 'c.jpg': 1, 'sub/d.png': 0}
    pictures, seed = [], 0
    for place, (name, count) in enumerate(counts.items()):
        seeds = range(seed, seed + count)
        seed += count
        pictures.append(
            LabelledPicture(
                'clip one.mp4' if has_frames else name,
                (640, 480),
                tuple(make_instance(s, has_scores) for s in seeds),
                5 * place if has_frames else None,
            )
        )
    return LabelSet('field mouse', NAMES, SKELETON, pictures)


def assert_same(
    found: LabelSet,
    expected: LabelSet,
    visibility: bool = True,
    skeleton: bool = True,
    size: bool = True,
    boxes: bool = True,
    empty: bool = True,
) -> None:
    """Labels agree, but for what a format has no place for (False)."""
    assert found.keypoint_names == expected.keypoint_names
    assert found.skeleton == (expected.skeleton if skeleton else ())
    pictures = [p for p in expected.pictures if empty or p.instances]
    assert len(list(found.pictures)) == len(pictures)
    for one, other in zip(found.pictures, pictures):
        assert (one.file_name, one.frame) == (other.file_name, other.frame)
        assert one.size == (other.size if size else None)
        assert len(one.instances) == len(other.instances)
        for mine, theirs in zip(one.instances, other.instances):
            _assert_same_instance(mine, theirs, visibility, boxes)


def _assert_same_instance(mine, theirs, visibility: bool, boxes: bool) -> None:
    np.testing.assert_allclose(mine.keypoints, theirs.keypoints, atol=6e-4)
    told = theirs.visibility if visibility else np.minimum(2 * theirs.visibility, 2)
    np.testing.assert_array_equal(mine.visibility, told)
    if theirs.confidence is None:
        assert mine.confidence is None
    else:
        np.testing.assert_allclose(mine.confidence, theirs.confidence, atol=6e-5)
    if boxes:
        np.testing.assert_allclose(mine.bbox, theirs.bbox, atol=6e-4)
    else:
        assert mine.bbox is None
