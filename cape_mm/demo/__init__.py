"""A web page to mark keypoints on one picture and get them on others.

Nothing here imports Gradio but :mod:`~cape_mm.demo.app`.
"""

from .pictures import Limits
from .serving import serve
from .session import DemoSession

__all__ = ['DemoSession', 'Limits', 'serve']
