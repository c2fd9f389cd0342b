"""Steadier keypoints over the frames of a video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..utils.value_checks import check_choice
from .results import InferenceResult

METHODS = ('one_euro', 'median')


class OneEuroFilter:
    """Low-pass filter that follows fast movements and calms slow ones.

    Casiez, Roussel and Vogel, "1 EUR Filter", CHI 2012. Coordinates are taken in units
    of ``scale``, so one setting suits pictures of any size.

    Args:
        fps: frames per second that are filtered.
        scale: length in pixels that speeds are measured in, e.g. the box's longer side.
        min_cutoff: Hz; lower is calmer at rest.
        beta: Hz per scale and second; higher lags less in movement.
        derivative_cutoff: Hz, of the speed.
    """

    def __init__(
        self,
        fps: float,
        scale: float,
        min_cutoff: float = 1.0,
        beta: float = 5.0,
        derivative_cutoff: float = 1.0,
    ) -> None:
        self.fps, self.scale = fps, scale
        self.min_cutoff, self.beta = min_cutoff, beta
        self.derivative_cutoff = derivative_cutoff
        self._value: np.ndarray | None = None
        self._speed = 0.0

    def __call__(self, points: np.ndarray, steps: int = 1) -> np.ndarray:
        """Filter the next frame.

        Args:
            points: (x, y), (..., 2).
            steps: frames since the last call.
        """
        if self._value is None:
            self._value = points
            return points
        interval = steps / self.fps
        speed = (points - self._value) / self.scale / interval
        weight = _weight(np.asarray(self.derivative_cutoff), interval)
        self._speed = weight * speed + (1 - weight) * self._speed
        magnitude = np.linalg.norm(self._speed, axis=-1, keepdims=True)
        weight = _weight(self.min_cutoff + self.beta * magnitude, interval)
        self._value = weight * points + (1 - weight) * self._value
        return self._value


def _weight(cutoff: np.ndarray, interval: float) -> np.ndarray:
    """Weight of the new value in an exponential filter of that cutoff frequency."""
    ratio = 2 * np.pi * cutoff * interval
    return ratio / (ratio + 1)


class MedianFilter:
    """Median over a window of frames that ends with the current one.

    Args:
        window: frames, odd.
    """

    def __init__(self, window: int = 5) -> None:
        self._points: deque[np.ndarray] = deque(maxlen=window)

    def __call__(self, points: np.ndarray, steps: int = 1) -> np.ndarray:
        """Filter the next frame, (x, y), (..., 2)."""
        self._points.append(points)
        return np.median(np.stack(self._points), axis=0)


def smooth_results(
    results: Iterable[InferenceResult], method: str = 'one_euro', fps: float = 25.0
) -> Iterator[InferenceResult]:
    """Smooth the keypoints of every video; pictures pass unchanged.

    Instance n of a frame is taken for instance n of the next, so boxes must keep their
    order. Smoothing starts anew with another video or another number of instances.

    Args:
        results: in the order of their frames, video after video.
        method: 'one_euro' or 'median'.
        fps: frames per second of the videos.

    Raises:
        ConfigError: there is no such method.
    """
    check_choice('method', method, METHODS)
    key, last, smooth = None, 0, None
    for result in results:
        if result.frame is None or not len(result.boxes):
            key = None
            yield result
            continue
        if key != (result.source, len(result.boxes)):
            key = (result.source, len(result.boxes))
            scale = float(result.boxes[:, 2:].max())
            is_median = method == 'median'
            smooth = MedianFilter() if is_median else OneEuroFilter(fps, scale)
            last = result.frame - 1
        points = smooth(result.keypoints, result.frame - last)
        last = result.frame
        yield replace(result, keypoints=points)
