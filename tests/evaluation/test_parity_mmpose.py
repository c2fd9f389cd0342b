"""MMPose 0.29's own outputs, for the edge cases that it has and we word otherwise."""

import numpy as np
import pytest
from shared_folder import SHARED

from cape_mm.evaluation import functional as F

STORED = SHARED / 'parity/pck_mmpose029.npz'
CASES = (
    *('n1_k17', 'n1_k68', 'n8_k100', 'n1_nomask', 'n1_perfect'),
    *('n3_zero_norm', 'boundary_100', 'n1_aniso'),
)


@pytest.fixture(scope='module')
def stored():
    if not STORED.is_file():
        pytest.skip(f'stored reference outputs are not at {STORED}')
    with np.load(STORED) as file:
        return dict(file)


def read_case(stored, case):
    """Points, mask and sizes as our functions take them.

    MMPose divides x and y by sizes of their own, and leaves instances of size 0 out.
    """
    pred, gt, mask, size = (
        stored[f'{case}/{key}'] for key in ('pred', 'gt', 'mask', 'normalize')
    )
    has_size = (size > 0).all(axis=1)
    size = np.where(has_size[:, None], size, 1)[:, None]
    ones = np.ones(len(pred))
    return (pred / size, gt / size, mask & has_size[:, None], ones)


def test_every_stored_case_is_tested(stored):
    assert {key.split('/')[0] for key in stored if '/' in key} == set(CASES)


@pytest.mark.parametrize('case', CASES)
def test_pck(stored, case):
    """Per keypoint over instances; the mean over keypoints that have one."""
    values = F.normalized_distances(*read_case(stored, case))
    for place, thr in enumerate(stored['thresholds']):
        ours = F.fraction_below(values.T, thr)
        np.testing.assert_allclose(
            np.nan_to_num(ours, nan=-1), stored[f'{case}/acc'][place], atol=1e-12
        )
        is_scored = ~np.isnan(ours)
        average = ours[is_scored].mean() if is_scored.any() else 0
        assert average == pytest.approx(stored[f'{case}/avg'][place], abs=1e-12)
        assert is_scored.sum() == stored[f'{case}/cnt'][place]


@pytest.mark.parametrize('case', CASES)
def test_auc(stored, case):
    """Its AUC divides all instances by one number, stored: the first one's width."""
    pred, gt, mask, size = (
        stored[f'{case}/{key}'] for key in ('pred', 'gt', 'mask', 'normalize')
    )
    values = F.normalized_distances(pred, gt, mask, np.full(len(pred), size[0, 0]))
    curve = [
        F.mean_over_keypoints(F.fraction_below(values.T, thr)[None])[0]
        for thr in np.arange(F.NUM_AUC_THRESHOLDS) / F.NUM_AUC_THRESHOLDS
    ]
    ours = np.nan_to_num(curve).mean()
    assert ours == pytest.approx(float(stored[f'{case}/auc']), abs=1e-12)


@pytest.mark.parametrize('case', CASES)
def test_errors(stored, case):
    """Means over all scored keypoints; EPE knows no size, so it leaves none out."""
    values = F.normalized_distances(*read_case(stored, case))
    nme = F.mean_over_keypoints(values.reshape(1, -1))[0]
    # the reference subtracts and averages in float32
    assert np.nan_to_num(nme) == pytest.approx(stored[f'{case}/nme'], rel=1e-6)
    pixels = F.distances(*(stored[f'{case}/{key}'] for key in ('pred', 'gt', 'mask')))
    epe = F.mean_over_keypoints(pixels.reshape(1, -1))[0]
    assert np.nan_to_num(epe) == pytest.approx(stored[f'{case}/epe'], rel=1e-6)
