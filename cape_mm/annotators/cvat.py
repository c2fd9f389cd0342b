"""A function of CVAT's automatic annotation: points on a task's pictures.

::

    cvat-cli task auto-annotate 7 --function-module cape_mm.annotators.cvat \\
        -p support=str:marked.json -p images=str:frames

CVAT gives pictures without boxes: every picture is one object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..inference import CapeInferencer
from ..inference.labelled_support import choose_support
from ..inference.prediction_files import IS_SEEN

if TYPE_CHECKING:
    from cvat_sdk.auto_annotation import DetectionFunctionContext
    from cvat_sdk.models import LabeledShapeRequest


class CvatFunction:
    """What CVAT calls a detection function.

    Args:
        inferencer: with a support.
        label: the skeleton's name in CVAT.
        names: of its K points.
    """

    def __init__(
        self, inferencer: CapeInferencer, label: str, names: Sequence[str]
    ) -> None:
        from cvat_sdk import auto_annotation as cvat

        self._inferencer, self._sdk = inferencer, cvat
        points = [cvat.keypoint_spec(name, k) for k, name in enumerate(names)]
        skeleton = cvat.skeleton_label_spec(label, 0, points)
        self.spec = cvat.DetectionFunctionSpec(labels=[skeleton])

    def detect(
        self, context: DetectionFunctionContext, image: Image.Image
    ) -> list[LabeledShapeRequest]:
        """One skeleton; points below the threshold are outside, all of them: none."""
        [result] = self._inferencer(image)
        confidence, is_known = result.confidence[0], self._inferencer.support.is_known
        is_there = is_known & (confidence >= (context.conf_threshold or 0))
        if not is_there.any():
            return []
        is_hidden = np.nan_to_num(result.visibility[0], nan=1.0) < IS_SEEN
        points = np.clip(result.keypoints[0], 0, result.image_size)
        elements = [
            self._sdk.keypoint(
                k,
                [float(x), float(y)],
                occluded=bool(is_hidden[k]),
                outside=not is_there[k],
            )
            for k, (x, y) in enumerate(points)
        ]
        return [self._sdk.skeleton(0, elements)]


def create(
    support: str,
    images: str = '',
    category: str = '',
    label: str = '',
    num_shots: int = 1,
    checkpoint: str = '',
    device: str = '',
) -> CvatFunction:
    """The function that CVAT loads; its parameters are those of ``-p``.

    Args:
        support: file of labels in any format of ``tools/predict.py``.
        images: folder of its pictures; empty looks around it.
        category: whose objects are meant, where the file has several.
        label: name of the skeleton in CVAT; empty: that of the category.
        num_shots: so many labelled objects are used; 0 for all.
        checkpoint: file of weights; empty takes the one that comes with the package.
        device: e.g. ``'cuda:1'``; empty takes a GPU if there is one.

    Raises:
        CapeError: the labels, pictures or checkpoint can't be used.
    """
    marked = choose_support(support, images or None, None, category or None, num_shots)
    inferencer = CapeInferencer(None, checkpoint or None, device or None)
    marked.set_on(inferencer)
    names = marked.labels.keypoint_names
    return CvatFunction(inferencer, label or marked.labels.category, names)
