"""Labels in the formats of other tools: one file per format, one record for all."""

from .files import fitting_name, open_for_writing
from .labels import LabelledInstance, LabelledPicture, LabelSet
from .registry import FORMATS, guess_format, read_labels, write_labels

__all__ = [
    'FORMATS',
    'LabelSet',
    'LabelledInstance',
    'LabelledPicture',
    'fitting_name',
    'guess_format',
    'open_for_writing',
    'read_labels',
    'write_labels',
]
