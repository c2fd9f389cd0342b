"""Checking a data set before anybody trusts it."""

from .check import check_dataset
from .files import image_folder_of
from .findings import Finding
from .report import DatasetReport, FileReport
from .table import format_report

__all__ = [
    'DatasetReport',
    'FileReport',
    'Finding',
    'check_dataset',
    'format_report',
    'image_folder_of',
]
