"""Where the real data lie that some tests read; they are no part of the project."""

import os
from pathlib import Path

SHARED = Path(
    os.environ.get('CAPE_MM_SHARED')
    or Path(__file__).resolve().parents[1].parent / 'shared'
)
"""``CAPE_MM_SHARED``, by default the folder ``shared`` beside the checkout."""
