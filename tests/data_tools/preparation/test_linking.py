"""Files are complete or absent, and nothing that is in place gets lost."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from prepare_sources import make_source_tree, snapshot, write_bytes

from cape_mm.data_tools.preparation.plan import Action, Plan, find_image_root, make_plan
from cape_mm.data_tools.preparation.prepare import MODES, make_files
from cape_mm.data_tools.preparation.wanted import WantedImage
from cape_mm.errors import ConfigError, MissingDataError

NAMES = [f'quokka_face/quokka_{i}.jpg' for i in range(4)]
every_mode = pytest.mark.parametrize('mode', MODES)


class Bench:
    """A source folder and an image folder."""

    def __init__(self, root: Path) -> None:
        self.source = make_source_tree(root / 'src', NAMES) / 'AnimalWeb'
        self.images = root / 'mp100/images'
        self.first = self.images / NAMES[0]

    def plan(self, names=NAMES, **sources) -> Plan:
        wanted = [WantedImage(name, 'AnimalWeb', (4, 3)) for name in names]
        return make_plan(wanted, self.images, sources or {'AnimalWeb': self.source})

    def actions(self) -> list[Action]:
        return [entry.action for entry in self.plan().entries]

    def contents(self) -> dict[str, str]:
        files = (p for p in self.images.rglob('*') if p.is_file())
        return {str(p.relative_to(self.images)): p.read_text() for p in files}


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


@every_mode
def test_makes_every_file_and_leaves_the_source(bench, mode):
    before = snapshot(bench.source)
    assert make_files(bench.plan(), mode) == 4
    assert bench.contents() == {name: name for name in NAMES}
    assert snapshot(bench.source) == before
    assert bench.first.is_symlink() == (mode == 'symlink')
    assert os.path.samefile(bench.first, bench.plan().entries[0].match.path) == (
        mode != 'copy'
    )


@every_mode
def test_second_run_changes_nothing(bench, mode):
    make_files(bench.plan(), mode)
    before = snapshot(bench.images)
    plan = bench.plan()
    assert {entry.action for entry in plan.entries} == {Action.KEEP}
    assert make_files(plan, mode) == 0
    assert snapshot(bench.images) == before


@every_mode
def test_broken_link_is_replaced(bench, mode):
    bench.first.parent.mkdir(parents=True)
    bench.first.symlink_to('moved/away.jpg')
    assert bench.actions() == [Action.REPLACE, *[Action.LINK] * 3]
    make_files(bench.plan(), mode)
    assert bench.contents() == {name: name for name in NAMES}
    assert bench.first.is_symlink() == (mode == 'symlink')


@every_mode
@pytest.mark.parametrize('kind', ['file', 'link', 'folder'])
def test_what_is_in_the_way_is_left_alone(bench, kind, mode, tmp_path):
    if kind == 'folder':
        bench.first.mkdir(parents=True)
    elif kind == 'file':
        write_bytes(bench.first, 'drawn by hand')
    else:
        bench.first.parent.mkdir(parents=True)
        bench.first.symlink_to(write_bytes(tmp_path / 'other', 'drawn by hand'))
    assert bench.actions() == [Action.BLOCKED, *[Action.LINK] * 3]
    assert make_files(bench.plan(), mode) == 3
    assert kind == 'folder' or bench.first.read_text() == 'drawn by hand'
    assert bench.first.is_dir() == (kind == 'folder')


def test_file_of_the_same_content_is_in_place(bench):
    write_bytes(bench.first, NAMES[0])
    assert bench.actions()[0] is Action.KEEP


def test_file_that_appears_after_the_plan_is_not_overwritten(bench):
    for mode in MODES:
        plan = bench.plan()
        write_bytes(bench.first, 'drawn by hand')
        with pytest.raises(ConfigError, match='File exists'):
            make_files(plan, mode)
        assert bench.first.read_text() == 'drawn by hand'
        assert os.listdir(bench.first.parent) == [bench.first.name]
        bench.first.unlink()


@pytest.mark.parametrize(
    'mode, module, function', [('symlink', os, 'symlink'), ('copy', shutil, 'copy2')]
)
def test_failure_half_way_is_explained_and_resumed(
    bench, monkeypatch, mode, module, function
):
    real, calls = getattr(module, function), []

    def fail_third(source, target, **options):
        calls.append(target)
        if len(calls) == 3:
            if mode == 'copy':  # a full disk leaves half a file
                Path(target).write_text('half')
            code = errno.ENOSPC
            raise OSError(code, os.strerror(code), str(target))
        return real(source, target, **options)

    monkeypatch.setattr(module, function, fail_third)
    before = snapshot(bench.source)
    with pytest.raises(ConfigError, match='No space left') as caught:
        make_files(bench.plan(), mode)
    assert '2 of 4 files made so far are complete' in str(caught.value)
    assert str(bench.images / NAMES[2]) in str(caught.value)
    assert bench.contents() == {name: name for name in NAMES[:2]}
    assert make_files(bench.plan(), mode) == 2
    assert bench.contents() == {name: name for name in NAMES}
    assert snapshot(bench.source) == before


def test_writing_through_a_linked_folder_is_refused(bench):
    """The reference instructions link whole folders; theirs are not ours to fill."""
    bench.images.mkdir(parents=True)
    elsewhere = bench.images.parent / 'elsewhere'
    elsewhere.mkdir()
    (bench.images / 'quokka_face').symlink_to(elsewhere)
    with pytest.raises(ConfigError, match='is a link to .*Remove the link'):
        bench.plan()
    assert not list(elsewhere.iterdir())


def test_source_and_target_inside_each_other_are_refused(bench):
    with pytest.raises(ConfigError, match='lie inside each other'):
        bench.plan(AnimalWeb=bench.images.parent.parent)
    with pytest.raises(ConfigError, match='lie inside each other'):
        bench.plan(AnimalWeb=bench.images / 'quokka_face/downloads')


def test_unknown_and_absent_sources(bench):
    with pytest.raises(ConfigError, match="unknown source data set 'Quokkas'"):
        bench.plan(Quokkas=bench.source)
    with pytest.raises(MissingDataError, match='source folder not found'):
        bench.plan(AnimalWeb=bench.source / 'nothing')


def test_image_root(tmp_path):
    assert find_image_root(tmp_path) == tmp_path / 'images'
    (tmp_path / 'quokka_face').mkdir()  # as the reference instructions have it
    assert find_image_root(tmp_path) == tmp_path
    (tmp_path / 'images').mkdir()
    assert find_image_root(tmp_path) == tmp_path / 'images'
