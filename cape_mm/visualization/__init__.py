"""Pictures of poses and episodes."""

from mmpose.registry import VISUALIZERS
from mmpose.visualization import PoseLocalVisualizer

from .contact_sheet import Panel, contact_sheet, contact_sheets, episode_row
from .drawing import draw_pose, keypoint_colors
from .episodes import draw_episode

__all__ = [
    'Panel',
    'contact_sheet',
    'contact_sheets',
    'draw_episode',
    'draw_pose',
    'episode_row',
    'keypoint_colors',
]

# the name in configs of earlier versions
VISUALIZERS.register_module('EpisodeVisualizer', module=PoseLocalVisualizer, force=True)
