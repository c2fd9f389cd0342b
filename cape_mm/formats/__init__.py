"""Labels in the formats of other tools: one file per format, one record for all.

:func:`read_labels` and :func:`write_labels` choose by name; ``FORMATS`` lists them.
"""

from .file_names import fitting_name
from .json_files import write_text
from .labels import LabelledInstance, LabelledPicture, LabelSet
from .registry import FORMATS, guess_format, read_labels, write_labels

__all__ = [
    'FORMATS',
    'LabelSet',
    'LabelledInstance',
    'LabelledPicture',
    'fitting_name',
    'guess_format',
    'read_labels',
    'write_labels',
    'write_text',
]
