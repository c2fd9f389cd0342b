"""Names of written files, however long those of the pictures are."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from cape_mm.formats import LabelledInstance, LabelledPicture, LabelSet
from cape_mm.formats.files import MAX_BYTES, fitting_name
from cape_mm.formats.labelme import write_labelme
from cape_mm.inference.overlays import overlay_path


def test_short_names_stay():
    path = PurePosixPath('folder/b.json')
    assert fitting_name(path) == path


@pytest.mark.parametrize('letter', ['x', '日', '🦊'])
def test_long_names_are_cut_and_stay_different(letter, tmp_path):
    length = len(letter.encode())
    names = [letter * (MAX_BYTES // length - 3) + f'{n}.png' for n in range(2)]
    found = {fitting_name(PurePosixPath(f'a/{name}.jpg')) for name in names}
    assert len(found) == 2
    for path in found:
        assert len(os.fsencode(path.name)) <= MAX_BYTES and path.suffix == '.jpg'
        (tmp_path / path.name).write_text('it fits')


def test_overlays_and_labels_of_the_longest_names_are_written(tmp_path):
    name = 'y' * (MAX_BYTES - 4) + '.png'
    path = overlay_path(tmp_path, name)
    path.parent.mkdir()
    path.write_text('it fits')
    instance = LabelledInstance(np.ones((1, 2)), np.array([2]))
    pictures = [LabelledPicture(name, (9, 9), (instance,))]
    (written,) = write_labelme(LabelSet('x', ('a',), (), pictures), tmp_path / 'out')
    assert written.is_file()
    assert list(Path(tmp_path / 'out').iterdir()) == [written]
