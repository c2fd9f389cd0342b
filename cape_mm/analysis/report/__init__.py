"""The evaluation report: one HTML page and a Markdown file."""

from .stored import report_stored
from .tested import check_report, report_test

__all__ = ['check_report', 'report_stored', 'report_test']
