"""Pictures of poses and episodes, and curves of trainings."""

from .contact_sheet import Panel, contact_sheet, contact_sheets, episode_row
from .drawing import draw_pose
from .episode_visualizer import EpisodeVisualizer
from .episodes import draw_episode, draw_loaded_episode
from .paints import keypoint_colors

__all__ = [
    'EpisodeVisualizer',
    'Panel',
    'contact_sheet',
    'contact_sheets',
    'draw_episode',
    'draw_loaded_episode',
    'draw_pose',
    'episode_row',
    'keypoint_colors',
]
