"""The training-free matcher does what its definition says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_cape import make_episode, prepare
from tiny_matching import LEVEL_WEIGHTS, MATCHER, SIDE, build_matching, encode

from cape_mm.errors import ConfigError
from cape_mm.models.heads.base import QueryTargets


@pytest.fixture(scope='module')
def matcher() -> torch.nn.Module:
    """A matcher over a random backbone; tests leave it alone."""
    return build_matching(MATCHER)


def bilinear(feature_map: np.ndarray, x: float, y: float) -> np.ndarray:
    """What a map (C, H, W) shows at (x, y) in [0, 1], its border repeated outside."""
    height, width = feature_map.shape[1:]
    column = np.clip(x * width - 0.5, 0, width - 1)
    row = np.clip(y * height - 0.5, 0, height - 1)
    left, top = int(column), int(row)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    across, down = column - left, row - top
    upper = (1 - across) * feature_map[:, top, left]
    upper = upper + across * feature_map[:, top, right]
    lower = (1 - across) * feature_map[:, bottom, left]
    lower = lower + across * feature_map[:, bottom, right]
    return (1 - down) * upper + down * lower


def unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length else vector


def centred_maps(model: torch.nn.Module, images: torch.Tensor) -> list[np.ndarray]:
    """Per level (N, C, H, W), minus each map's mean over its own cells."""
    with torch.no_grad():
        levels = [level.double().numpy() for level in model.backbone(images)]
    return [level - level.mean(axis=(2, 3), keepdims=True) for level in levels]


def match_by_definition(
    supports: list[np.ndarray],
    queries: list[np.ndarray],
    points: np.ndarray,
    is_visible: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Similarity of every query, keypoint and cell, by plain loops.

    Args:
        supports: centred maps of the S supports of one episode.
        queries: centred maps of its N queries.
        points: (S, K, 2) in [0, 1].
        is_visible: bool (S, K).

    Returns:
        (N, K, SIDE, SIDE), row before column, and centres (SIDE,) of the cells.
    """
    centres = (np.arange(SIDE) + 0.5) / SIDE
    total = np.zeros((len(queries[0]), points.shape[1], SIDE, SIDE))
    for weight, support, query in zip(LEVEL_WEIGHTS, supports, queries):
        for keypoint in range(points.shape[1]):
            token = unit(
                sum(
                    is_visible[shot, keypoint]
                    * unit(bilinear(support[shot], *points[shot, keypoint]))
                    for shot in range(len(points))
                )
            )
            for n, row, column in np.ndindex(len(query), SIDE, SIDE):
                cell = unit(bilinear(query[n], centres[column], centres[row]))
                total[n, keypoint, row, column] += weight * token @ cell
    return total, centres


@pytest.mark.parametrize('num_shots', [1, 3])
def test_equals_its_definition(matcher, num_shots):
    """Over levels finer and coarser than the grid, shots, and a keypoint seen once."""
    hidden = tuple((shot, 2) for shot in range(1, num_shots))
    item = make_episode(1, 5, num_shots, 2, support_hidden=hidden)
    inputs = prepare(matcher, [item])['inputs']
    total, centres = match_by_definition(
        centred_maps(matcher, inputs.support_images[0]),
        centred_maps(matcher, inputs.query_images),
        inputs.support_keypoints[0].double().numpy(),
        inputs.support_visible[0].numpy(),
    )
    found = matcher(inputs)
    flat = total.reshape(*total.shape[:2], -1)
    ordered = np.sort(flat, axis=-1)
    assert (ordered[..., -1] - ordered[..., -2]).min() > 1e-5  # no draw
    row, column = np.unravel_index(flat.argmax(axis=-1), (SIDE, SIDE))
    expected = np.stack([centres[column], centres[row]], axis=-1)
    np.testing.assert_allclose(found.points, expected, atol=1e-6)
    scores = np.clip(flat.max(axis=-1) / sum(LEVEL_WEIGHTS), 0, 1)
    np.testing.assert_allclose(found.scores, scores, atol=1e-5)


def test_unknown_keypoints_are_in_the_centre_without_confidence(matcher):
    item = make_episode(0, 5, 2, 2, support_hidden=((0, 1), (1, 1), (0, 3)))
    found = matcher.head.predict(encode(matcher, [item]))
    assert (found.points[:, 1] == 0.5).all()
    assert (found.scores[:, 1] == 0).all() and (found.scores[:, 3] > 0).all()


def test_has_nothing_to_train(matcher):
    assert not list(matcher.head.parameters())
    context = encode(matcher, [make_episode(0)])
    targets = QueryTargets(torch.zeros(2, 5, 2), torch.ones(2, 5, dtype=torch.bool))
    with pytest.raises(RuntimeError, match='no parameters to train'):
        matcher.head.loss(context, targets)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(side=1), 'side'),
        (dict(level_weights=(0.0, -1.0, 1.0)), 'level_weights'),
    ],
)
def test_what_can_not_be(options, message):
    with pytest.raises(ConfigError, match=f'model.head: .*{message}'):
        build_matching(MATCHER | options)
