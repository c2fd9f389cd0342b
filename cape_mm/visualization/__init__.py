"""Pictures of poses and episodes."""

from .contact_sheet import Panel, contact_sheet, episode_row
from .drawing import draw_pose, keypoint_colors

__all__ = ['Panel', 'contact_sheet', 'draw_pose', 'episode_row', 'keypoint_colors']
