"""The first and the last transform: from a file to an image, and to tensors."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Hashable

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine import fileio
from mmpose.registry import TRANSFORMS
from PIL import Image

from ...errors import (
    EmptyAnnotationError,
    ImageDecodeError,
    ImageNotFoundError,
    ImageReadError,
)

REDUCED_FLAGS = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}
JPEG_START, EXIF_START = b'\xff\xd8\xff', b'Exif\0\0'
MIB = 2**20


class ImageCache:
    """Keeps the images used last, up to a number of MiB, per process.

    Args:
        max_mib: bound on the images' bytes; 0 keeps nothing.
    """

    def __init__(self, max_mib: float = 0) -> None:
        self.max_bytes = max_mib * MIB
        self.num_bytes = 0
        self.entries: OrderedDict[Hashable, tuple[np.ndarray, int]] = OrderedDict()

    def get(self, key: Hashable) -> tuple[np.ndarray, int] | None:
        """Image, read-only, and reduction, or None; it is now the one used last."""
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key)

    def put(self, key: Hashable, image: np.ndarray, reduction: int) -> None:
        """Keep a new image; drops those whose last use lies furthest back.

        An image that is larger than the whole cache is not kept. One that is kept
        becomes read-only: the next reader must find the same pixels.
        """
        if image.nbytes > self.max_bytes:
            return
        image.flags.writeable = False
        self.entries[key] = image, reduction
        self.num_bytes += image.nbytes
        while self.num_bytes > self.max_bytes:
            _, (dropped, _) = self.entries.popitem(last=False)
            self.num_bytes -= dropped.nbytes


@TRANSFORMS.register_module()
class LoadInstanceImage(BaseTransform):
    """Read ``img_path`` into ``img``; one exception type per way to fail.

    With ``reduce_to``, a JPEG whose object is many times larger than the network input
    is decoded at 1/2, 1/4 or 1/8 of its scale, which is faster and smooths what the
    warp would otherwise skip; labels stay in pixels of the source image. Evaluation
    leaves it off: the official protocol warps the full image.

    Convention:
        - pixel i of the reduced image covers pixels r*i ... r*i + r-1 of the full one,
          so x_full = r * x_reduced + (r - 1) / 2 with r = ``img_reduction``
        - r is chosen such that the crop still has the input's pixels; where it is not
          described yet (``crop_side``), the box's longer side, as augmentation may zoom

    Required keys: ``img_path``; with ``reduce_to`` also ``crop_side``, which
    :class:`InstanceCrop` and what follows it leave, or ``bbox``. Added keys: ``img``
    uint8 BGR (H, W, 3), read-only where it is cached, ``img_reduction`` (1, 2, 4 or 8),
    ``img_shape`` and ``ori_shape``, both that of ``img``.

    Args:
        reduce_to: (w, h) of the network input, or None to decode at full scale.
        cache_mib: keep decoded images in memory, up to this many MiB *per worker*.
        backend_args: where files lie, as mmcv's ``LoadImageFromFile``.

    Raises:
        ImageNotFoundError: the file does not exist.
        ImageReadError: the file exists and the system refuses to read it.
        ImageDecodeError: it is no readable image.
    """

    def __init__(
        self,
        reduce_to: tuple[int, int] | None = None,
        cache_mib: float = 0,
        backend_args: dict | None = None,
    ) -> None:
        self.reduce_to = reduce_to
        self.cache = ImageCache(cache_mib)
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        wanted = self._choose_reduction(results)
        key = (results['img_path'], wanted)
        cached = self.cache.get(key)
        if cached is None:
            img, reduction = self._read(*key)
            self.cache.put(key, img, reduction)
        else:
            img, reduction = cached
        shape = img.shape[:2]
        results.update(
            img=img, img_reduction=reduction, img_shape=shape, ori_shape=shape
        )
        return results

    def _choose_reduction(self, results: dict) -> int:
        if not self.reduce_to:
            return 1
        # by default the crop is 1.25 times the box and augmentation shows 0.8 of that
        side = results.get('crop_side', max(results['bbox'][2:]))
        spare = side / max(self.reduce_to)
        return next((r for r in REDUCED_FLAGS if spare >= r), 1)

    def _read(self, path: str, reduction: int) -> tuple[np.ndarray, int]:
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            if reduction > 1 and not can_be_reduced(content, reduction):
                reduction = 1
            flag = REDUCED_FLAGS.get(reduction, cv2.IMREAD_COLOR)
            img = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
            assert img is not None, 'cv2 returns None for what it cannot read'
        except FileNotFoundError as error:
            raise ImageNotFoundError(f'image not found: {path}') from error
        except (OSError, UnicodeEncodeError) as error:
            raise ImageReadError(f'image can not be read: {path!r}: {error}') from error
        except (AssertionError, cv2.error) as error:
            size = os.path.getsize(path) if os.path.exists(path) else 0
            raise ImageDecodeError(
                f'image does not decode ({size:,} bytes): {path}'
            ) from error
        return img, reduction


def can_be_reduced(content: bytes, reduction: int) -> bool:
    """Whether the reduced image's pixel grid starts at the full one's corner.

    Only a JPEG decoder reduces in whole blocks. An image that EXIF turns or mirrors is
    turned after that, and an incomplete last block would then come first.

    Args:
        content: bytes of the file.
        reduction: 2, 4 or 8.
    """
    if not content.startswith(JPEG_START):
        return False
    if EXIF_START not in content:
        return True
    try:
        with Image.open(io.BytesIO(content)) as img:  # reads the header alone
            return not any(side % reduction for side in img.size)
    except OSError:  # Pillow's, for a header that it cannot read: cv2 decides
        return False


def is_inside(keypoints: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Keypoints (x, y), (K, 2), on a picture of ``size`` (w, h), bool (K,)."""
    return ((keypoints >= 0) & (keypoints <= np.asarray(size) - 1)).all(axis=1)


@TRANSFORMS.register_module()
class PackInstance(BaseTransform):
    """Turn one instance into tensors and settle which keypoints are visible.

    Keeps the order and the number of keypoints: what is invisible is masked.

    Returns a dictionary with ``image`` uint8 BGR (3, h, w), ``keypoints`` and
    ``keypoints_orig`` float32 (K, 2), ``is_visible`` and ``is_visible_orig`` bool (K,),
    ``visibility`` uint8 (K,) where the data set tells it,
    ``bbox`` float32 (4,), ``ann_id``, ``img_id``, ``img_path``, ``crop_to_image``
    float64 (2, 3), ``input_size``.

    Args:
        hide_outside: keypoints outside the crop become invisible. On in training, where
            augmentation pushes points out; off in evaluation, where the official
            protocol counts every labelled keypoint.

    Raises:
        EmptyAnnotationError: no visible keypoint is left.
    """

    def __init__(self, hide_outside: bool) -> None:
        self.hide_outside = hide_outside

    def transform(self, results: dict) -> dict:
        keypoints = results['keypoints']
        is_visible_orig = results['is_visible']
        is_visible = is_visible_orig.copy()
        if self.hide_outside:
            is_visible &= is_inside(keypoints, results['input_size'])
        if not is_visible.any():
            raise EmptyAnnotationError(
                f'annotation {results["ann_id"]} has no visible keypoint in its crop: '
                f'{results["img_path"]}'
            )
        extra = {}
        if 'visibility' in results:
            extra['visibility'] = torch.from_numpy(results['visibility'].copy())
        planes = np.stack(cv2.split(results['img']))  # faster than a transposed copy
        return dict(
            image=torch.from_numpy(planes),
            keypoints=torch.from_numpy(keypoints),
            keypoints_orig=torch.from_numpy(results['keypoints_orig']),
            is_visible=torch.from_numpy(is_visible),
            is_visible_orig=torch.from_numpy(is_visible_orig.copy()),
            bbox=torch.from_numpy(results['bbox'].astype(np.float32)),
            ann_id=results['ann_id'],
            img_id=results['img_id'],
            img_path=results['img_path'],
            crop_to_image=results['crop_to_image'],
            input_size=results['input_size'],
            **extra,
        )
