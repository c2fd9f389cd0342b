"""Per-instance scores against hand-worked numbers and the field's own code."""

import numpy as np
import pytest
from shared_folder import SHARED

from cape_mm.evaluation import functional as F

PARITY = SHARED / 'parity'

# Four keypoints on a box of 100 px with errors of 0, 5, 12 and 50 px; the last one is
# valid in the second instance only.
GT = np.zeros((2, 4, 2))
PRED = np.array([[[0, 0], [3, 4], [12, 0], [0, 50]]] * 2, dtype=float)
IS_VALID = np.array([[True, True, True, False], [True, True, True, True]])
SIZE = np.array([100.0, 100.0])


def load_parity(name):
    path = PARITY / name
    if not path.is_file():
        pytest.skip(f'stored reference outputs are not at {path}')
    with np.load(path) as stored:
        return dict(stored)


def test_distances_by_hand():
    result = F.normalized_distances(PRED, GT, IS_VALID, SIZE)
    np.testing.assert_allclose(result[1], [0, 0.05, 0.12, 0.5])
    assert np.isnan(result[0, 3])


@pytest.mark.parametrize(
    ('thr', 'expected'),
    [(0.05, [1 / 3, 1 / 4]), (0.1, [2 / 3, 2 / 4]), (0.2, [1, 3 / 4])],
)
def test_pck_by_hand(thr, expected):
    np.testing.assert_allclose(F.pck(PRED, GT, IS_VALID, SIZE, thr), expected)


def test_errors_by_hand():
    np.testing.assert_allclose(F.epe(PRED, GT, IS_VALID), [17 / 3, 67 / 4])
    np.testing.assert_allclose(F.nme(PRED, GT, IS_VALID, SIZE), [0.17 / 3, 0.67 / 4])


def test_auc_by_hand():
    # Of the thresholds 0, .05, .., .95, the errors 0, .05, .12 and .5 lie strictly
    # below 19, 18, 17 and 9 of 20.
    expected = [(19 + 18 + 17) / 60, (19 + 18 + 17 + 9) / 80]
    np.testing.assert_allclose(F.auc(PRED, GT, IS_VALID, SIZE), expected)


def test_equal_to_the_threshold_is_wrong():
    pred = np.array([[[5.0, 0], [10, 0], [15, 0], [20, 0], [25, 0]]])
    values = [
        F.pck(pred, np.zeros_like(pred), np.ones((1, 5), bool), SIZE[:1], thr)[0]
        for thr in F.PCK_THRESHOLDS
    ]
    np.testing.assert_allclose(values, [0, 0.2, 0.4, 0.6, 0.8])


def test_instance_without_valid_keypoint_is_nan():
    nothing = np.zeros_like(IS_VALID)
    for values in (
        F.pck(PRED, GT, nothing, SIZE, 0.2),
        F.auc(PRED, GT, nothing, SIZE),
        F.nme(PRED, GT, nothing, SIZE),
        F.epe(PRED, GT, nothing),
    ):
        assert values.shape == (2,)
        assert np.isnan(values).all()


@pytest.mark.parametrize('broken', [np.nan, np.inf, -np.inf])
def test_non_finite_prediction_is_refused_where_scored(broken):
    pred = PRED.copy()
    pred[1, 2, 0] = broken
    with pytest.raises(ValueError, match='1 predicted keypoints.*keypoint 2 of inst'):
        F.pck(pred, GT, IS_VALID, SIZE, 0.2)
    mask = IS_VALID.copy()
    mask[1, 2] = False
    assert np.isfinite(F.pck(pred, GT, mask, SIZE, 0.2)).all()


def test_non_finite_truth_is_refused():
    gt = GT.copy()
    gt[0, 0] = np.nan
    with pytest.raises(ValueError, match='true keypoints are NaN'):
        F.epe(PRED, gt, IS_VALID)


@pytest.mark.parametrize('size', [0.0, -3.0, np.nan])
def test_size_must_be_positive(size):
    with pytest.raises(ValueError, match='positive.*instance 1'):
        F.pck(PRED, GT, IS_VALID, np.array([100.0, size]), 0.2)


@pytest.mark.parametrize('case', ['n1_k17', 'n1_k68', 'n1_perfect', 'boundary_100'])
def test_single_instances_equal_mmpose_029(case):
    stored = load_parity('pck_mmpose029.npz')
    pred, gt, mask, size, average = (
        stored[f'{case}/{key}'] for key in ('pred', 'gt', 'mask', 'normalize', 'avg')
    )
    args = pred, gt, mask, size[:, 0]
    values = [F.pck(*args, thr)[0] for thr in stored['thresholds']]
    np.testing.assert_allclose(values, average, rtol=0, atol=1e-12)
    for ours, key in (
        (F.auc(*args), 'auc'),
        (F.nme(*args), 'nme'),
        (F.epe(*args[:3]), 'epe'),
    ):
        # The reference subtracts and averages in float32.
        np.testing.assert_allclose(ours[0], stored[f'{case}/{key}'], rtol=1e-6)


def test_many_instances_equal_mmpose_029():
    """Its NME and EPE average over keypoints, its PCK first over instances."""
    stored = load_parity('pck_mmpose029.npz')
    pred, gt, mask, size, acc, nme, epe = (
        stored[f'n8_k100/{key}']
        for key in ('pred', 'gt', 'mask', 'normalize', 'acc', 'nme', 'epe')
    )
    values = F.normalized_distances(pred, gt, mask, size[:, 0])
    np.testing.assert_allclose(np.nanmean(values), nme, rtol=1e-6)
    np.testing.assert_allclose(np.nanmean(F.distances(pred, gt, mask)), epe, rtol=1e-6)
    for thr, expected in zip(stored['thresholds'], acc):
        per_keypoint = np.nan_to_num(F.fraction_below(values.T, thr), nan=-1)
        np.testing.assert_allclose(per_keypoint, expected, atol=1e-12)


def test_pairs_equal_capeformer():
    stored = load_parity('evaluate_capeformer.npz')
    args = (
        stored['pred'],
        stored['gt'],
        stored['mask'],
        stored['bbox'][:, 2:].max(axis=1),
    )
    for thr in F.PCK_THRESHOLDS:
        value = np.nan_to_num(F.pck(*args, thr)).mean()
        np.testing.assert_allclose(value, stored[f'result/PCK@{thr:g}'], atol=1e-12)
    for ours, key in (
        (F.auc(*args), 'AUC'),
        (F.nme(*args), 'NME'),
        (F.epe(*args[:3]), 'EPE'),
    ):
        value = np.nan_to_num(ours).mean()
        np.testing.assert_allclose(value, stored[f'result/{key}'], rtol=1e-6)
