"""xtcocotools' COCO and COCOeval as subclasses of pycocotools', as MMPose uses them.

A bare alias gives wrong numbers: xtcocotools takes ``sigmas`` and ``use_area``, counts
visible keypoints itself, drops detections without any, and accepts annotation id 0.
The CrowdPose and COCO-WholeBody variants are not covered and say so.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from types import ModuleType

import numpy as np
from pycocotools import coco, cocoeval, mask

# Area of a person's segment as a share of its box, where 'area' is absent or unwanted.
_AREA_PER_BOX = 0.53


class COCO(coco.COCO):
    """COCO annotations; a missing ``iscrowd`` counts as 0, results may be empty.

    Args:
        annotation_file: path of the JSON file; None gives an empty object.
        test_index: indices of the keypoints to keep in every annotation.
        ann_data: the file's content, if it has been read already.
    """

    def __init__(self, annotation_file=None, test_index=None, ann_data=None) -> None:
        self.anno_file = [annotation_file]
        self.test_index = test_index
        if ann_data is None:
            super().__init__(annotation_file)
        else:
            super().__init__()
            self.dataset = ann_data
            self.createIndex()
        if test_index is not None:
            for annotation in self.anns.values():
                keypoints = np.reshape(annotation['keypoints'], (-1, 3))[test_index]
                annotation['keypoints'] = keypoints.reshape(-1).tolist()

    def createIndex(self) -> None:  # noqa: N802
        for annotation in self.dataset.get('annotations', []):
            annotation.setdefault('iscrowd', 0)
        super().createIndex()

    def loadRes(self, resFile, resData=None):  # noqa: N802, N803
        """Results as a COCO object, from a path, a list or an (N, 7) array."""
        results = resData if resData is not None else resFile
        if isinstance(results, str):
            with open(results, encoding='utf-8') as file:
                results = json.load(file)
        if len(results) > 0:
            return super().loadRes(results)
        empty = type(self)()
        empty.dataset = {
            'images': list(self.dataset['images']),
            'categories': copy.deepcopy(self.dataset.get('categories', [])),
            'annotations': [],
        }
        empty.createIndex()
        return empty


class COCOeval(cocoeval.COCOeval):
    """pycocotools' evaluation with xtcocotools' arguments and filtering.

    The ids in ``evalImgs`` are shifted by a constant if an annotation id is below 1,
    because pycocotools reads a match with id 0 as no match.

    Args:
        cocoGt: annotations.
        cocoDt: detections.
        iouType: 'keypoints', 'bbox' or 'segm'.
        sigmas: OKS sigmas, (K,); None takes those of the 17 COCO keypoints.
        use_area: take the annotation's area; else 0.53 of its box.

    Raises:
        NotImplementedError: ``iouType`` is a CrowdPose or WholeBody variant.
    """

    def __init__(
        self,
        cocoGt=None,  # noqa: N803
        cocoDt=None,  # noqa: N803
        iouType='keypoints',  # noqa: N803
        sigmas=None,
        use_area=True,
    ) -> None:
        if iouType not in ('keypoints', 'bbox', 'segm'):
            raise NotImplementedError(
                f'iouType {iouType!r} needs the real xtcocotools (with NumPy 1), but '
                "pycocotools stands in for it: use 'keypoints', 'bbox' or 'segm'."
            )
        super().__init__(cocoGt, cocoDt, iouType)
        self.use_area = use_area
        if iouType == 'keypoints' and sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)

    def _prepare(self) -> None:
        is_keypoints = self.params.iouType == 'keypoints'
        if is_keypoints:  # pycocotools insists on the stored count
            for annotation in self.cocoGt.anns.values():
                annotation.setdefault('num_keypoints', _count_keypoints(annotation))
        super()._prepare()
        lowest_id = min(self.cocoGt.anns, default=1)
        for key, truths in self._gts.items():
            self._gts[key] = [
                self._completed(truth, shift=max(0, 1 - lowest_id)) for truth in truths
            ]
        if is_keypoints:
            detections = defaultdict(list)
            for key, found in self._dts.items():
                detections[key] = [dt for dt in found if _count_keypoints(dt) > 0]
            self._dts = detections

    def _completed(self, truth: dict, shift: int) -> dict:
        """A copy of one annotation with id, ignore flag and area as needed here."""
        truth = dict(truth, id=truth['id'] + shift)
        truth.setdefault('iscrowd', 0)
        truth['ignore'] = bool(truth['iscrowd'])
        if self.params.iouType == 'keypoints' and _count_keypoints(truth) == 0:
            truth['ignore'] = True
        if not self.use_area or 'area' not in truth:
            truth['area'] = truth['bbox'][2] * truth['bbox'][3] * _AREA_PER_BOX
        return truth


def _count_keypoints(annotation: dict) -> int:
    """Keypoints of ``annotation`` with a positive third value (visibility, score)."""
    return int(np.count_nonzero(np.asarray(annotation['keypoints'])[2::3] > 0))


def fill_coco(module: ModuleType) -> None:
    """Complete the placeholder ``xtcocotools.coco``."""
    module.COCO = COCO


def fill_cocoeval(module: ModuleType) -> None:
    """Complete the placeholder ``xtcocotools.cocoeval``."""
    module.COCOeval = COCOeval
    module.Params = cocoeval.Params


def fill_mask(module: ModuleType) -> None:
    """Complete the placeholder ``xtcocotools.mask``."""
    for name in ('encode', 'decode', 'area', 'toBbox', 'merge', 'frPyObjects', 'iou'):
        setattr(module, name, getattr(mask, name))
