"""Fixed disturbances of queries, to measure what a model withstands.

Nothing here is an augmentation: the strength is given, and what is left to chance is
drawn from the instance's id alone. An instance looks the same in every episode, so its
features can still be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...utils.value_checks import check_choice, check_positive


@TRANSFORMS.register_module()
class PerturbQuery(BaseTransform):
    """Apply transforms to the instances that stand in as queries, and to no other.

    Those are second records of annotations (``twin_of``). A generator of ``seed`` and
    the annotation's id takes the place of the episode's ``rng`` meanwhile.

    Required keys: ``twin_of``, and those of the transforms.

    Args:
        transforms: configs or callables; they may read ``rng``.
        seed: of their chance.
    """

    def __init__(self, transforms: Sequence[dict | Callable], seed: int = 0) -> None:
        self.seed = seed
        self.transforms = [
            TRANSFORMS.build(step) if isinstance(step, dict) else step
            for step in transforms
        ]

    def transform(self, results: dict) -> dict:
        if results['twin_of'] is None:
            return results
        rng = np.random.default_rng([self.seed, results['twin_of']])
        changed = dict(results, rng=rng)
        for step in self.transforms:
            changed = step(changed)
        del changed['rng']
        results.update(changed)
        return results


@TRANSFORMS.register_module()
class FixedInstanceAffine(BaseTransform):
    """Rotate and scale the crop's content by fixed amounts.

    Labels follow; keypoints that leave the crop stay visible.

    Required keys: what ``InstanceCrop`` adds, and ``rng``, which draws the direction of
    the rotation; so it comes between ``InstanceCrop`` and ``WarpInstance``.

    Args:
        rotation: angle in degrees.
        scale: a factor above 1 shows the object larger.

    Raises:
        ConfigError: ``scale`` is not positive.
    """

    def __init__(self, rotation: float = 0.0, scale: float = 1.0) -> None:
        check_positive('scale', scale)
        self.rotation = rotation
        self.scale = scale

    def transform(self, results: dict) -> dict:
        sign = 1 if results['rng'].random() < 0.5 else -1
        results['crop_rotation'] += sign * self.rotation
        results['crop_side'] /= self.scale
        return results


@TRANSFORMS.register_module()
class JpegCompression(BaseTransform):
    """Compress the crop as a JPEG of fixed quality and decode it again.

    Required keys: ``img`` uint8 BGR (H, W, 3).

    Args:
        quality: 1 (worst) to 100.

    Raises:
        ConfigError: the quality is out of its range.
    """

    def __init__(self, quality: int) -> None:
        check_choice('quality', quality, range(1, 101))
        self.quality = int(quality)

    def transform(self, results: dict) -> dict:
        settings = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        content = cv2.imencode('.jpg', results['img'], settings)[1]
        results['img'] = cv2.imdecode(content, cv2.IMREAD_COLOR)
        return results
