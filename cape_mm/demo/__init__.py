"""A web page to mark keypoints on one picture and get them on others.

The work itself (pictures, points, edges, boxes, undo) is in the browser, which keeps
it; the server decodes, predicts and writes files. Only :mod:`~cape_mm.demo.app` and
:mod:`~cape_mm.demo.serving` import a web framework.
"""

from .pictures import Limits
from .serving import serve
from .session import DemoSession

__all__ = ['DemoSession', 'Limits', 'serve']
