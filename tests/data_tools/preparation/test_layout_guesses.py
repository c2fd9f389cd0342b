"""Which folders beside each other are which sources."""

from __future__ import annotations

import pytest
from prepare_sources import NAMES, make_source_tree

from cape_mm.data_tools.mp100_sources import guess_source_folders
from cape_mm.errors import ConfigError, MissingDataError


def test_made_trees_are_all_recognised(tmp_path):
    make_source_tree(tmp_path, NAMES.values())
    (tmp_path / 'holiday').mkdir()
    (tmp_path / 'coco.zip').write_text('x')
    (tmp_path / 'loop').symlink_to(tmp_path / 'loop')
    found = guess_source_folders(tmp_path)
    assert list(found) == list(NAMES)
    assert found['CUB-200'] == tmp_path / 'CUB_200_2011'


@pytest.mark.parametrize('name', ['ap-10k', 'AP_10K', 'ap10k', 'AP-10K'])
def test_spelling_does_not_matter(name, tmp_path):
    (tmp_path / name).mkdir()
    assert guess_source_folders(tmp_path) == {'AP-10K': tmp_path / name}


def test_one_clone_serves_fly_and_locust(tmp_path):
    (tmp_path / 'DeepPoseKit-Data').mkdir()
    assert list(guess_source_folders(tmp_path)) == ['Vinegar Fly', 'Desert Locust']


def test_two_candidates_are_refused(tmp_path):
    for name in ('ap-10k', 'AP10K'):
        (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match='could both be AP-10K.*--ap10k DIR'):
        guess_source_folders(tmp_path)


def test_nothing_recognised(tmp_path):
    (tmp_path / 'holiday').mkdir()
    with pytest.raises(MissingDataError, match='none of its folders has the name'):
        guess_source_folders(tmp_path)
    with pytest.raises(MissingDataError, match='there is no such folder'):
        guess_source_folders(tmp_path / 'nothing')
