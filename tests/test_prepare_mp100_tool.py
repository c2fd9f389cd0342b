"""prepare_mp100.py as a user types it, on made trees of all thirteen sources."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from pathlib import Path

import pytest
from prepare_sources import make_source_tree, published_path, snapshot
from tool_calls import REPO, Outcome, ToolCaller

from cape_mm.data_tools.mp100_sources import CATEGORY_FOLDERS, SOURCES, source_of_image
from cape_mm.data_tools.preparation import MODES

SUBFOLDERS = {
    '300W': 'helen/trainset/',
    'AFLW': 'flickr/0/',
    'OneHand10K': 'Train/source/',
}
NAME = '{:012d}.jpg'


def list_names() -> dict[str, int]:
    """File names in the way of MP-100, with category ids.

    Two for each of the 100 categories, and 16 squirrels: enough for an episode.
    """
    names = {}
    for category_id, folder in CATEGORY_FOLDERS.items():
        inner = SUBFOLDERS.get(source_of_image(f'{folder}/x'), '')
        for i in range(16 if folder == 'squirrel_body' else 2):
            names[f'{folder}/{inner}{NAME.format(category_id * 100 + i)}'] = category_id
    return names


def write_annotations(path: Path, names: dict[str, int]) -> Path:
    """One usable annotation per image."""
    images = [
        dict(id=i, file_name=name, width=40, height=30)
        for i, name in enumerate(names, start=1)
    ]
    box = dict(bbox=[2, 2, 30, 20], area=600, iscrowd=0, num_keypoints=1)
    annotations = [
        dict(id=i, image_id=i, category_id=c, keypoints=[5, 5, 2], **box)
        for i, c in enumerate(names.values(), start=1)
    ]
    categories = [
        dict(id=i, name=f'c{i}', keypoints=['a'], skeleton=[], supercategory='x')
        for i in sorted(set(names.values()))
    ]
    content = dict(images=images, annotations=annotations, categories=categories)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


class Bench:
    """A data root with annotations, and a folder with all sources."""

    def __init__(self, root: Path, caller: ToolCaller) -> None:
        self.names = list_names()
        self.root, self.sources = root / 'mp100', root / 'downloads'
        self.ann_file = self.root / 'annotations/mp100_split1_test.json'
        write_annotations(self.ann_file, self.names)
        make_source_tree(self.sources, self.names)
        self._caller = caller

    def __call__(self, *arguments: str | Path) -> Outcome:
        return self._caller('prepare_mp100', '--data-root', self.root, *arguments)

    def made(self) -> dict[str, str]:
        images = self.root / 'images'
        files = [p for p in images.rglob('*') if p.is_file()]
        return {str(p.relative_to(images)): p.read_text() for p in files}


@pytest.fixture
def bench(tmp_path, monkeypatch, capfd) -> Bench:
    return Bench(tmp_path, ToolCaller(monkeypatch, capfd))


def row_of(outcome: Outcome, start: str) -> list[str]:
    """Numbers of one line of the plan."""
    lines = outcome.out.splitlines()
    return next(line.split()[-6:] for line in lines if line.startswith(start))


def test_options_are_the_sources():
    """The tool has its own list, so that --help does not wait for torch."""
    tool = runpy.run_path(str(REPO / 'tools/dataset_tools/prepare_mp100.py'))
    assert tool['SOURCES'] == {name: source.key for name, source in SOURCES.items()}
    assert tool['MODES'] == MODES


def test_all_sources_into_place(bench):
    before = snapshot(bench.sources)
    outcome = bench('--sources', bench.sources)
    assert outcome.code == 1, outcome.err  # two images are too few to evaluate
    assert bench.made() == {name: name for name in bench.names}
    assert snapshot(bench.sources) == before
    assert row_of(outcome, 'all') == ['214', '-', '214', '-', '-', '-']
    assert 'made 214 files (symlink)' in outcome.out
    assert 'verdict: ' in outcome.out.split('made 214 files')[1]  # check_dataset's
    again = bench('--sources', bench.sources)
    assert row_of(again, 'all') == ['214', '214', '-', '-', '-', '-']
    assert 'made 0 files' in again.out


def test_dry_run_writes_nothing(bench):
    before = snapshot(bench.root)
    outcome = bench('--sources', bench.sources, '--dry-run')
    assert outcome.code == 0
    assert row_of(outcome, 'all') == ['214', '-', '214', '-', '-', '-']
    assert 'dry run: nothing was written' in outcome.out
    assert snapshot(bench.root) == before


def test_any_subset_and_the_rest_later(bench):
    first = bench('--ap10k', bench.sources / 'ap-10k', '--300w', bench.sources / '300w')
    assert first.code == 1
    assert Counter(source_of_image(name) for name in bench.made()) == {
        'AP-10K': 82,
        '300W': 2,
    }
    assert row_of(first, 'AP-10K (') == ['82', '-', '82', '-', '-', '-']
    assert row_of(first, 'COCO (--coco not given)') == ['2', '-', '-', '2', '-', '-']
    bench('--sources', bench.sources, '--mode', 'copy')
    assert bench.made() == {name: name for name in bench.names}
    modes = Counter(p.is_symlink() for p in bench.root.rglob('images/**/*.jpg'))
    assert modes == {True: 84, False: 130}


def test_named_source_wins_over_a_guessed_one(bench, tmp_path):
    other = make_source_tree(tmp_path / 'other', ['human_body/000000007200.jpg'])
    outcome = bench('--sources', bench.sources, '--coco', other / 'coco', '--dry-run')
    row = row_of(outcome, f'COCO ({other / "coco"})')
    assert row == ['2', '-', '1', '1', '-', '-']
    assert 'note: COCO: 1 images missing, the first is human_body/' in outcome.out


def test_bad_input_is_one_message(bench, tmp_path):
    assert 'no source data set was given' in bench().message
    message = bench('--coco', tmp_path / 'nothing').message
    assert f'source folder not found: {tmp_path / "nothing"}' in message
    message = bench('--sources', bench.sources, '--ann-file', 'nothing.json').message
    assert 'annotation file not found: nothing.json' in message
    bench.ann_file.write_text(bench.ann_file.read_text()[:-40])
    assert 'is not a JSON file' in bench('--sources', bench.sources).message
    bench.ann_file.unlink()
    assert 'no annotation file in' in bench('--sources', bench.sources).message
    assert not (bench.root / 'images').exists()


def test_real_annotation_files(bench, mp100_annotations, tmp_path):
    """Names as they really are, each source in its published layout."""
    files = [mp100_annotations / f'mp100_split{i}_test.json' for i in (2, 4)]
    contents = [json.loads(file.read_text()) for file in files]
    names = {image['file_name'] for c in contents for image in c['images']}
    sources = make_source_tree(tmp_path / 'real', sorted(names))
    outcome = bench('--sources', sources, '--ann-file', *files)
    assert outcome.code == 0, outcome.err
    count = str(len(names))
    assert row_of(outcome, 'all') == [count, '-', count, '-', '-', '-']
    made = bench.made()
    assert made.keys() == names
    assert all(published_path(made[name]) == published_path(name) for name in names)
