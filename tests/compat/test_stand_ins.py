"""What stands for mmcv's compiled ops and for xtcocotools."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from cape_mm.compat import stand_ins


def test_an_op_raises_when_called_not_when_named():
    op = stand_ins.missing_op('roi_align_forward')
    with pytest.raises(RuntimeError, match="'roi_align_forward' needs compiled mmcv"):
        op(torch.zeros(1))


def test_xtcocotools_scores_nothing():
    module = ModuleType('xtcocotools.x')
    stand_ins.fill_cocoeval(module)
    with pytest.raises(NotImplementedError, match='needs the real xtcocotools'):
        module.COCOeval(iouType='keypoints')
