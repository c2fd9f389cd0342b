"""One picture to BGR pixels: from a file, an array or Pillow, or a clear refusal.

Files are decoded as training decodes them (``cv2.imdecode`` in colour): grey becomes
three equal channels, transparency is dropped, 16 bits become 8 by their upper byte,
CMYK is converted, and the turn or mirror that EXIF asks for is applied.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

from ..datasets.image_files import is_cut_off
from ..errors import ImageDecodeError, ImageNotFoundError

MAX_PIXELS = 178_000_000
"""A larger picture takes more than 0.5 GB of memory decoded; Pillow refuses it too."""

ANIMATED_NOTE = 'animated: only the first frame was used'
DARK = 16
"""A picture without a brighter value is as good as black to the model."""

PHONE_BRANDS = (b'heic', b'heix', b'hevc', b'mif1', b'msf1')
"""What the header of a HEIC file names."""

UNREADABLE = (OSError, ValueError, SyntaxError, EOFError)
"""What Pillow raises on a file that is no picture."""


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
        image: BGR, uint8 (H, W, 3).
        notes: what a reader should know of it.
    """

    image: np.ndarray
    notes: tuple[str, ...] = ()


def read_picture(path: str | Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode a picture file.

    Args:
        path: the file.
        max_pixels: a picture with more is refused before it is decoded.

    Raises:
        ImageNotFoundError: there is no such file.
        ImageDecodeError: it is no picture, is cut off, too large or can't be read.
    """
    path = Path(path)
    refuse_other_than_files(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageNotFoundError(f'no such file: {path}') from error
    except OSError as error:
        raise ImageDecodeError(f'can not be read: {error.strerror}') from error
    return decode_picture(content, max_pixels)


def refuse_other_than_files(path: Path) -> None:
    """Refuse what is there, but no file: to read a pipe would wait for ever.

    Raises:
        ImageDecodeError: it is something else.
    """
    if path.exists() and not path.is_file():
        raise ImageDecodeError(
            'is no file but a pipe, a device, or a folder that can not be opened'
        )


def decode_picture(content: bytes, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode the bytes of a picture file, see :func:`read_picture`."""
    if not content:
        raise ImageDecodeError('is empty (0 bytes)')
    if content[:256].lstrip(b'\xef\xbb\xbf \t\r\n').startswith(b'<'):
        raise ImageDecodeError(
            'is no picture of pixels but text such as SVG or HTML, whatever its name '
            'says: export it as PNG'
        )
    if is_cut_off(content):
        raise ImageDecodeError('is cut off: its end is missing')
    notes = [ANIMATED_NOTE] if _check_header(content, max_pixels) else []
    image = _decode(content)
    if (brightest := int(image.max())) < DARK:
        notes.append(
            f'nearly black: its brightest value is {brightest} of 255. If its file has '
            f'16 bits of which the camera fills fewer, stretch them first'
        )
    return Picture(image, tuple(notes))


def _check_header(content: bytes, max_pixels: int) -> bool:
    """Refuse a picture that is too large, undecoded; whether it is animated."""
    size = None
    try:
        with _opened(content) as img:
            if img.size[0] * img.size[1] <= max_pixels:
                return getattr(img, 'is_animated', False)
            size = img.size
    except Image.DecompressionBombError:  # larger than ours unless it is set
        pass
    except UNREADABLE:
        return False  # OpenCV knows a few formats more
    shown = '' if size is None else f'{size[0]} x {size[1]}, '
    raise ImageDecodeError(
        f'is too large: {shown}at most {max_pixels:,} pixels are read. Scale it down '
        f'or cut it into tiles.'
    )


def _opened(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Pillow's fear of large pictures
        return Image.open(io.BytesIO(content))


def _decode(content: bytes) -> np.ndarray:
    """By OpenCV; GIF with an older one, CMYK in TIFF and the like by Pillow."""
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is not None:
        return image
    try:
        with _opened(content) as img:
            return from_pillow(img)
    except ImageDecodeError:
        raise  # says more; it is a ValueError, too
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        if content[4:8] == b'ftyp' and content[8:12] in PHONE_BRANDS:
            reason = 'is a HEIC picture, as phones write them: export it as JPEG or PNG'
        else:
            reason = (
                f'does not decode ({len(content):,} bytes): damaged, or of a format '
                f'that is not supported'
            )
        raise ImageDecodeError(reason) from error


def from_pillow(img: Image.Image) -> np.ndarray:
    """A Pillow image as BGR uint8 (H, W, 3), turned as its EXIF data ask for.

    Raises:
        ImageDecodeError: its numbers are no brightness of 8 or 16 bits.
    """
    img = ImageOps.exif_transpose(img)
    if img.mode == 'F':
        raise ImageDecodeError(
            'holds floating-point numbers, of which nobody knows black and white: save '
            'it with 8 or 16 bits'
        )
    if img.mode.startswith('I'):  # Pillow would cut 16 bits off at 255
        array = np.asarray(img)
        if array.min() < 0 or array.max() > np.iinfo(np.uint16).max:
            raise ImageDecodeError(
                f'has values from {array.min()} to {array.max()}: save it with 8 or 16 '
                f'bits'
            )
        return from_array(array.astype(np.uint16))
    return np.ascontiguousarray(np.asarray(img.convert('RGB'))[..., ::-1])


def from_array(array: np.ndarray) -> np.ndarray:
    """An array as BGR uint8 (H, W, 3).

    Args:
        array: as OpenCV has it: uint8 or uint16, (H, W), (H, W, 1), BGR (H, W, 3) or
            BGRA (H, W, 4).

    Raises:
        ImageDecodeError: it is of another type or shape.
    """
    is_picture = array.ndim in (2, 3) and array.size > 0
    channels = array.shape[2] if array.ndim == 3 else 1
    if not is_picture or channels not in (1, 3, 4):
        raise ImageDecodeError(
            f'expected an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got '
            f'{array.shape}'
        )
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageDecodeError(
            f'expected an array of uint8 (0 to 255) or uint16, got {array.dtype}'
        )
    if channels == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(array[..., :3])
