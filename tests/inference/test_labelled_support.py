"""Which labelled pictures are the support, and where their files are."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from predict_cases import KEYPOINTS, NAMES, SIZE, make_picture, write_pictures

from cape_mm.errors import ConfigError, MissingDataError
from cape_mm.formats import FORMATS, LabelledInstance, LabelledPicture, LabelSet
from cape_mm.formats import write_labels as write
from cape_mm.inference.labelled_support import choose_support, is_small
from cape_mm.inference.support import Shot

READABLE = [kind for kind in FORMATS if FORMATS[kind].read]


def write_labels(folder: Path, names: list[str], kind: str = 'coco') -> Path:
    """Labels of pictures with these names."""
    instance = LabelledInstance(KEYPOINTS, np.full(4, 2))
    pictures = [LabelledPicture(name, SIZE, (instance,)) for name in names]
    write(LabelSet('mouse', tuple(NAMES), (), pictures), folder, kind)
    return folder / FORMATS[kind].name


def choose(labels: Path, images: Path | None = None, **options):
    chosen = choose_support(labels, images, **options)
    return [str(path) for path in chosen.paths], ' '.join(chosen.notes)


@pytest.mark.parametrize('kind', READABLE)
def test_names_outside_need_the_folder_named(kind, tmp_path):
    write_pictures(tmp_path, ['pics/v/1.png', 'pics/2.png'])
    labels = write_labels(tmp_path / 'a/labels', ['v/1.png'], kind)
    path = labels if labels.is_file() else next(labels.rglob('*.json'))
    text = path.read_text(encoding='utf-8')
    assert '1.png' in text
    if kind == 'labelme':  # names are relative to the label file
        text = text.replace('"1.png"', '"../../../../pics/v/1.png"')
    else:
        text = text.replace('v/1.png', '../../pics/v/1.png')
    path.write_text(text, encoding='utf-8')
    with pytest.raises(ConfigError, match='1.png lies outside .*support_images'):
        choose(labels)
    paths, notes = choose(labels, tmp_path / 'pics')
    assert paths == [str(tmp_path / 'pics/v/1.png')]
    assert 'found by the end of its name' in notes


def test_absolute_names_need_the_folder_named(tmp_path):
    (picture,) = write_pictures(tmp_path, ['pics/v/1.png'])
    for name in (str(picture), 'C:\\pics\\1.png'):
        labels = write_labels(tmp_path, [name])
        with pytest.raises(ConfigError, match='lies outside'):
            choose(labels)
        assert choose(labels, picture.parent)[0] == [str(picture)]


@pytest.mark.parametrize(
    ('labelled', 'there', 'found'),
    [
        (['a/1.png', 'b/1.png'], ['b/1.png'], None),  # of an absent picture
        (['a/1.png', 'b/1.png'], ['1.png'], None),
        (['a/1.png', 'a/2.png'], ['1.png'], '1.png'),
        (['a/1.png'], ['1.png', 'images/1.png'], None),
        (['x/a/1.png', 'x/b/1.png'], ['a/1.png', 'b/1.png'], 'a/1.png'),
        (['A/1.PNG'], ['a/1.png'], 'a/1.png'),
        (['x/A.PNG'], ['a.png'], 'a.png'),
        (['A.PNG', 'a.png'], ['a.png'], None),  # those are two
        (['A.PNG'], ['a.png', 'A.png'], None),
    ],
)
def test_a_part_of_the_name_has_to_be_that_of_one(labelled, there, found, tmp_path):
    write_pictures(tmp_path, there)
    labels = write_labels(tmp_path, labelled)
    if found is None:
        with pytest.raises(MissingDataError, match='Name its folder'):
            choose(labels)
    else:
        paths, notes = choose(labels)
        assert paths == [str(tmp_path / found)] and 'end of its name' in notes


@pytest.mark.parametrize('forms', [('NFC', 'NFC'), ('NFD', 'NFD'), ('NFC', 'NFD')])
@pytest.mark.parametrize('form', ['NFC', 'NFD'])
def test_a_name_in_another_form_of_unicode(form, forms, tmp_path):
    there = map(unicodedata.normalize, forms, ['ü', 'étoile.png'])
    (path,) = write_pictures(tmp_path, ['/'.join(there)])
    labels = write_labels(tmp_path, [unicodedata.normalize(form, 'ü/étoile.png')])
    assert choose(labels) == ([str(path)], '')


def test_pictures_are_named_exactly_or_by_the_end_of_one(tmp_path):
    names = ['1.png', 'a/1.png', 'b/2.png', 'c/2.png']
    labels = write_labels(tmp_path, names)
    paths = [str(path) for path in write_pictures(tmp_path, names)]
    assert choose(labels, pictures=['1.png', 'b/2.png'])[0] == [paths[0], paths[2]]
    with pytest.raises(ConfigError, match='several .* there are b/2.png, c/2.png'):
        choose(labels, pictures=['2.png'])


def test_all_visibilities_zero_are_named(tmp_path):
    path = write_labels(tmp_path, ['1.png'])
    content = json.loads(path.read_text())
    content['annotations'][0]['keypoints'][2::3] = [0] * 4
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match='v, the visibility, is 0 everywhere'):
        choose(path)


def test_a_support_is_small_where_its_box_is():
    image, points = make_picture(0), np.ones((1, 2))
    for side, expected in ((20, True), (59, False)):
        box = np.array([0.0, 0, side, side])
        shot = Shot(image, points, np.ones(1, bool), box)
        assert is_small([shot]) == expected
