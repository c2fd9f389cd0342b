"""The visualizer of a run, which knows episodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.structures import BaseDataElement
from mmpose.registry import VISUALIZERS
from mmpose.visualization import PoseLocalVisualizer

from ..structures import EpisodeDataSample
from ..utils.atomic_write import write_bytes_atomically
from .episodes import draw_episode


@VISUALIZERS.register_module()
class EpisodeVisualizer(PoseLocalVisualizer):
    """MMPose's visualizer, which also draws episodes: support | truth | prediction.

    Colours are those of the keypoints in every picture of this package; a predicted
    keypoint is the more transparent the less certain it is. MMPose's own samples are
    drawn by MMPose, so its tools and hooks work as before.
    """

    @master_only
    def add_datasample(
        self,
        name: str,
        image: Mapping[str, torch.Tensor] | np.ndarray,
        data_sample: BaseDataElement,
        draw_gt: bool = True,
        draw_pred: bool = True,
        *,
        index: int = 0,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        **pose_options,
    ) -> np.ndarray:
        """Draw an episode and show it, write it, or hand it to the backends.

        Args:
            name: of the picture in the backends; no slash.
            image: ``dict(support=..., query=...)``, BGR uint8 (S, 3, H, W) and
                (Q, 3, H, W), as the data set gives them.
            data_sample: the episode. Of any other sample, ``image`` and all arguments
                are those of ``PoseLocalVisualizer.add_datasample``.
            draw_gt: whether to draw the query with its truth.
            draw_pred: whether to draw the query with its prediction.
            index: which of the episode's queries.
            show: open a window; only where there is a screen.
            wait_time: of the window in seconds, 0 is for ever.
            out_file: write to this file, and not to the backends.
            step: of the training.
            **pose_options: for MMPose's own samples only.

        Returns:
            The picture, RGB, uint8 (height, width, 3).
        """
        draws = dict(draw_gt=draw_gt, draw_pred=draw_pred)
        if not isinstance(data_sample, EpisodeDataSample):
            shared = dict(show=show, wait_time=wait_time, out_file=out_file, step=step)
            return super().add_datasample(
                name, image, data_sample, **draws, **shared, **pose_options
            )
        sides = image['support'], image['query']
        drawn = draw_episode(*sides, data_sample, index=index, **draws)
        drawn = np.ascontiguousarray(drawn[..., ::-1])
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        if out_file is not None:
            content = cv2.imencode(Path(out_file).suffix, drawn[..., ::-1])[1]
            write_bytes_atomically(out_file, content.tobytes(), durable=False)
        else:
            self.add_image(name, drawn, step)
        return drawn
