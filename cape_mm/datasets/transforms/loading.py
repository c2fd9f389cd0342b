"""Reading the image of one instance."""

from __future__ import annotations

import os

import cv2
from mmcv.transforms import LoadImageFromFile
from mmpose.registry import TRANSFORMS

from ...errors import ImageDecodeError, ImageNotFoundError


@TRANSFORMS.register_module()
class LoadInstanceImage(LoadImageFromFile):
    """Read ``img_path`` into ``img``; one exception type per way to fail.

    Takes the arguments of mmcv's ``LoadImageFromFile``.

    Required keys: ``img_path``. Added keys: ``img`` uint8 BGR (H, W, 3), ``img_shape``,
    ``ori_shape``.

    Raises:
        ImageNotFoundError: the file does not exist.
        ImageDecodeError: the file exists but is no readable image.
    """

    def transform(self, results: dict) -> dict:
        path = results['img_path']
        try:
            return super().transform(results)
        except FileNotFoundError as error:
            raise ImageNotFoundError(f'image not found: {path}') from error
        except (AssertionError, cv2.error) as error:
            size = os.path.getsize(path) if os.path.exists(path) else 0
            raise ImageDecodeError(
                f'image does not decode ({size:,} bytes): {path}'
            ) from error
