"""Labels in the formats of other tools: one file per format, one record for all."""

from .files import fitting_name, write_text
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
