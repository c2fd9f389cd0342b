"""Pictures on disk and on the screen."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageShow

from ..errors import ConfigError


def try_folder(out: str | Path) -> Path:
    """A folder for pictures, made where needed, in which a file can be written.

    Meant to be called before the pictures are made, which takes long.

    Raises:
        ConfigError: nothing can be written there.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f'--out {out}: no file can be written there ({error.strerror}). Name '
            f'another folder.'
        ) from error
    return folder


def write_png(path: Path, image: np.ndarray) -> Path:
    """Write a picture beside its place, then move it there.

    Args:
        path: the file; its folder exists.
        image: BGR, uint8 (H, W, 3).

    Returns:
        The path.

    Raises:
        ConfigError: it can't be written, for instance because the disk is full.
    """
    content = cv2.imencode('.png', image)[1].tobytes()
    temporary = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise ConfigError(f'--out: {path} can not be written: {error}') from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def open_in_viewer(images: Sequence[np.ndarray]) -> bool:
    """Open BGR pictures in the system's image viewer; False where there is none."""
    pictures = [Image.fromarray(image[..., ::-1].copy()) for image in images]
    return all(ImageShow.show(picture) for picture in pictures)
