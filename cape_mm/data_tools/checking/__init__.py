"""Checking a data set before anybody trusts it."""

from .check import check_dataset
from .corrected_files import fix_skeletons, write_available
from .files import image_folder_of
from .findings import Finding
from .report import DatasetReport, FileReport
from .table import format_report

__all__ = [
    'DatasetReport',
    'FileReport',
    'Finding',
    'check_dataset',
    'fix_skeletons',
    'format_report',
    'image_folder_of',
    'write_available',
]
