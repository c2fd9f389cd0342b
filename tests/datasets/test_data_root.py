"""Names in a JSON file stay in the data root; the user's own links are followed."""

from __future__ import annotations

import os

import pytest
from episode_data import CocoTree, open_tree

from cape_mm.errors import AnnotationFormatError
from cape_mm.structures import Episode


@pytest.fixture
def tree(tmp_path):
    tree = CocoTree(tmp_path / 'data')
    tree.ids = tree.fill(1, num_images=2)
    return tree


def read(tree: CocoTree) -> dict:
    return open_tree(tree)[Episode(1, (tree.ids[0],), (tree.ids[1],))]


def outside(tree: CocoTree, folder: str) -> str:
    """Move a picture out of the data root; returns its place."""
    place = tree.root.parent / folder
    place.mkdir()
    path = tree.image_path(2)
    path.rename(place / path.name)
    return str(place / path.name)


def test_names_that_leave_the_root_are_refused(tree):
    path = outside(tree, 'secret')
    folder = os.path.relpath(os.path.dirname(path), tree.image_folder)
    name = os.path.basename(path)
    ways_out = (
        *(path, f'{folder}/{name}', f'cat1/../{folder}/{name}', f'./{folder}/{name}'),
        *(f'{folder}/{name}'.replace('/', '\\'), path.replace('/', '\\')),
        f'cat1/link/../../../../secret/{name}',
    )
    for way in ways_out:
        tree.content['images'][1]['file_name'] = way
        with pytest.raises(AnnotationFormatError, match='points outside the data root'):
            read(tree)


@pytest.mark.parametrize('what', ['category folder', 'image folder', 'file'])
def test_links_that_the_user_made_are_followed(tree, what):
    """tools/dataset_tools/prepare_mp100.py makes such links to the source data sets."""
    path = {
        'category folder': tree.image_path(2).parent,
        'image folder': tree.image_folder,
        'file': tree.image_path(2),
    }[what]
    elsewhere = tree.root.parent / 'elsewhere'
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert read(tree)['data_samples'].dropped_pairs == []
