"""Keypoints by ONNX files: numpy, OpenCV and onnxruntime are all that it needs.

This file, geometry.py and skeleton.py lie in every exported folder:

    from onnx_runner import OnnxCape
    cape = OnnxCape('.')
    cape.set_support([image], [keypoints], skeleton=edges)
    points, confidence, visibility = cape.predict(images)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from ..structures import geometry
from ..structures import skeleton as graphs

STAGES = ('support', 'query', 'decode', 'judge')


class OnnxCape:
    """Finds the keypoints marked on support pictures in other pictures.

    Args:
        folder: what ``tools/export.py`` wrote.
        providers: of onnxruntime, e.g. ``['CUDAExecutionProvider']``; None is the CPU.
        num_threads: of onnxruntime on the CPU; None leaves it the choice.
    """

    def __init__(
        self,
        folder: str | Path,
        providers: Sequence[str] | None = None,
        num_threads: int | None = None,
    ) -> None:
        folder = Path(folder)
        text = (folder / 'cape.json').read_text(encoding='utf-8')
        self.description = json.loads(text)
        options = onnxruntime.SessionOptions()
        if num_threads is not None:
            options.intra_op_num_threads = num_threads
        self.sessions = {
            name: onnxruntime.InferenceSession(
                str(folder / f'{name}.onnx'),
                options,
                providers=list(providers or ['CPUExecutionProvider']),
            )
            for name in STAGES
            if (folder / f'{name}.onnx').exists()
        }
        self.tokens: np.ndarray | None = None

    def set_support(
        self,
        images: Sequence[np.ndarray],
        keypoints: Sequence[np.ndarray],
        skeleton: Sequence[Sequence[int]] = (),
        is_visible: Sequence[np.ndarray] | None = None,
        boxes: Sequence[np.ndarray] | None = None,
    ) -> None:
        """Encode the pictures on which the keypoints are marked.

        Args:
            images: BGR, uint8 (H, W, 3) each, S of them.
            keypoints: (x, y) in pixels, (K, 2) each.
            skeleton: 0-based pairs of keypoints.
            is_visible: bool (K,) each; None: all are marked.
            boxes: (x, y, w, h) of the object, (4,) each; None is the whole picture.

        Raises:
            ValueError: the numbers of keypoints differ, or none is visible.
        """
        keypoints = [np.asarray(points, dtype=np.float64) for points in keypoints]
        num = len(keypoints[0])
        if is_visible is None:
            is_visible = [np.ones(num, dtype=bool) for _ in keypoints]
        visible = np.stack([np.asarray(mask, dtype=bool) for mask in is_visible])
        if not visible.any():
            raise ValueError('no keypoint of the support is visible')
        crops, matrices = self._crop(images, boxes)
        size = np.asarray(self.description['input_size'])
        units = [
            (geometry.apply_affine(matrix, points) + 0.5) / size
            for matrix, points in zip(matrices, keypoints)
        ]
        self.set_support_crops(crops, np.stack(units), visible, skeleton)

    def set_support_crops(
        self,
        crops: np.ndarray,
        units: np.ndarray,
        is_visible: np.ndarray,
        skeleton: Sequence[Sequence[int]] = (),
    ) -> None:
        """As :meth:`set_support`, of crops.

        Args:
            crops: uint8 BGR (S, 3, H, W).
            units: (x, y) in [0, 1] of the crop, (S, K, 2).
            is_visible: bool (S, K).
            skeleton: 0-based pairs of keypoints.

        Raises:
            ValueError: more keypoints than the model takes.
        """
        num, largest = units.shape[1], self.description.get('max_keypoints')
        if largest is not None and num > largest:
            raise ValueError(f'{num} keypoints, but this model takes {largest} at most')
        self.hops = np.array(graphs.hop_distances(skeleton, num))
        rule = np.all if self.description.get('shots') == 'all' else np.any
        self.is_known = rule(is_visible, axis=0)
        (self.tokens,) = self._run(
            'support',
            images=crops,
            keypoints=units.astype(np.float32),
            is_visible=is_visible,
            hops=self.hops,
        )

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray] | None = None,
        mode: str | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Find the keypoints in other pictures.

        Args:
            images: BGR, uint8 (H, W, 3) each, N of them.
            boxes: (x, y, w, h) of the object, (4,) each; None is the whole picture.
            mode: 'parallel' or 'ar'; None is the model's own.

        Returns:
            Points in pixels of each picture (N, K, 2), confidence and visibility
            (N, K); an unknown keypoint gets the crop's centre and zeros. None for a
            visibility that the model does not tell.

        Raises:
            ValueError: no support was set, or the model has no such mode.
        """
        crops, matrices = self._crop(images, boxes)
        units, confidence, visibility = self.predict_crops(crops, mode)
        size = np.asarray(self.description['input_size'])
        pixels = units.astype(np.float64) * size - 0.5
        backwards = np.stack([geometry.invert_affine(matrix) for matrix in matrices])
        return geometry.apply_affine(backwards, pixels), confidence, visibility

    def predict_crops(
        self, crops: np.ndarray, mode: str | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """As :meth:`predict`, of crops uint8 BGR (N, 3, H, W), points in [0, 1]."""
        mode = mode or self.description['mode']
        if self.tokens is None:
            raise ValueError('call set_support first')
        if mode not in self.description['modes']:
            raise ValueError(f'mode {mode!r} is none of {self.description["modes"]}')
        known = self.is_known[None]
        made = self._run(
            'query', images=crops, tokens=self.tokens, is_known=known, hops=self.hops
        )
        if 'judge' not in self.sessions:
            points, scores = made
            return points, scores, None
        points, scores, tokens, fine_map, *rest = made
        proposed = dict(proposed_points=points, proposed_scores=scores)
        if mode == 'ar':
            tokens, points, scores = self._decode(
                points, scores, tokens, fine_map, rest
            )
        found = dict(keypoint_tokens=tokens, fine_map=fine_map)
        found |= dict(points=points, scores=scores)
        confidence, visibility = self._run('judge', **found, **proposed)
        points = np.where(known[..., None], points, np.float32(0.5))
        return points, confidence * known, visibility * known

    def _decode(self, proposals, scores, identities, fine_map, rest):
        """One step per known keypoint, in the order of the skeleton."""
        questions, keys, values = rest
        order = skeleton_order(self.hops, scores, self.is_known)
        rows = np.arange(len(order))
        tokens, points = identities.copy(), np.full_like(proposals, 0.5)
        found_scores = np.zeros_like(scores)
        layers, num, heads, _, dims = keys.shape
        empty = np.zeros((layers, num, heads, 0, dims), np.float32)
        cache_keys, cache_values = empty, empty
        for step in range(int(self.is_known.sum())):
            now, last = order[:, step], order[:, max(step - 1, 0)]
            # the cache holds all but the last keypoint that was found
            held = order[:, : max(step - 1, 0)]
            seen = np.concatenate([held, last[:, None], now[:, None]], axis=1)
            point, score, token, new_keys, new_values = self._run(
                'decode',
                question=questions[rows, now][:, None],
                identity=identities[rows, now][:, None],
                last_identity=identities[rows, last][:, None],
                last_points=points[rows, last][:, None],
                has_last=np.array([step > 0]),
                step_hops=np.stack(
                    [self.hops[last[:, None], seen], self.hops[now[:, None], seen]],
                    axis=1,
                ),
                fine_map=fine_map,
                memory_keys=keys,
                memory_values=values,
                cache_keys=cache_keys,
                cache_values=cache_values,
            )
            if step:
                cache_keys = np.concatenate([cache_keys, new_keys], axis=3)
                cache_values = np.concatenate([cache_values, new_values], axis=3)
            points[rows, now], found_scores[rows, now] = point[:, 0], score[:, 0]
            tokens[rows, now] = token[:, 0]
        return tokens, points, found_scores

    def _run(self, stage: str, **inputs: np.ndarray) -> list[np.ndarray]:
        session = self.sessions[stage]
        names = [given.name for given in session.get_inputs()]
        return session.run(None, {name: inputs[name] for name in names})

    def _crop(self, images, boxes) -> tuple[np.ndarray, list[np.ndarray]]:
        """Crops uint8 (N, 3, H, W), and the map of each picture to its crop."""
        size = tuple(self.description['input_size'])
        crops, matrices = [], []
        for index, image in enumerate(images):
            height, width = image.shape[:2]
            box = (0, 0, width, height) if boxes is None else boxes[index]
            clean = geometry.clean_box(np.asarray(box, np.float64), (width, height))
            if clean is None:
                raise ValueError(f'box {list(box)} of picture {index} is empty')
            center, side = geometry.box_to_square(clean, self.description['padding'])
            matrix = geometry.crop_matrix(center, side, size)
            crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
            crops.append(crop.transpose(2, 0, 1))
            matrices.append(matrix)
        return np.stack(crops), matrices


def skeleton_order(
    hops: np.ndarray, scores: np.ndarray, is_known: np.ndarray
) -> np.ndarray:
    """Breadth first over the skeleton from each query's most confident keypoint.

    Args:
        hops: graph distances, int64 (K, K).
        scores: of the proposals, (N, K).
        is_known: bool (K,).

    Returns:
        Keypoint indices, unknown ones last, int64 (N, K).
    """
    root = np.where(is_known, scores, -1).argmax(axis=1)
    distance = np.where(is_known, hops[root], graphs.UNREACHABLE + 1)
    by_score = np.argsort(-scores, axis=1, kind='stable')
    distance = np.take_along_axis(distance, by_score, axis=1)
    by_distance = np.argsort(distance, axis=1, kind='stable')
    return np.take_along_axis(by_score, by_distance, axis=1)
