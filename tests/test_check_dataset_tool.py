"""check_dataset.py as a user calls it: exit codes, table, files, messages."""

import json

import pytest

from cape_mm.data_tools.mp100_sources import SOURCES

FEW = ('--num-shots', '1', '--num-queries', '3')


@pytest.fixture
def tree(coco_tree):
    """A data root: a 1-based category of 6 images, one of 5."""
    coco_tree.fill(1, num_images=6, skeleton=[[1, 2], [2, 3], [3, 4]])
    coco_tree.fill(2, num_images=5)
    (coco_tree.root / 'annotations').mkdir()
    coco_tree.write('annotations/toy_train.json')
    return coco_tree


def test_clean(call, tree):
    outcome = call('check_dataset', tree.root, '--decode', '--num-workers', '1', *FEW)
    assert outcome.code == 0
    assert 'looked for and decoded' in outcome.out
    assert 'note          1  skeleton counts from 1 [categories]: 1 cat1' in outcome.out
    assert outcome.out.rstrip().endswith('verdict: clean (exit code 0)')
    assert 'decoding 11 images' in outcome.err


def test_gaps_and_report(call, tree, tmp_path):
    tree.image_path(2).unlink()
    arguments = ('--out', tmp_path / 'r/check.json')
    outcome = call('check_dataset', tree.root, *FEW, *arguments)
    assert outcome.code == 1
    assert f'report: {tmp_path}/r/check.json' in outcome.out
    report = json.loads((tmp_path / 'r/check.json').read_text())
    assert report['images']['missing'][0]['path'] == str(tree.image_path(2))


@pytest.mark.parametrize(
    'arguments, message',
    [
        (('nowhere',), 'data root not found: nowhere'),
        (('{root}', '--image-folder', 'nowhere'), 'image folder not found: nowhere'),
        (
            ('{root}', '--num-queries', '0'),
            'num_queries must be a whole number, at least 1',
        ),
        (('{root}', '--out', '{root}/annotations', *FEW), '/annotations: Is a dir'),
    ],
)
def test_user_errors(call, tree, arguments, message):
    before = sorted(tree.root.rglob('*'))
    arguments = [text.format(root=tree.root) for text in arguments]
    outcome = call('check_dataset', *arguments)
    assert outcome.code == 2
    assert message in outcome.message
    assert sorted(tree.root.rglob('*')) == before


def test_neither_root_nor_file(call):
    outcome = call('check_dataset')
    assert outcome.code == 2
    assert 'give a data root or --ann-file' in outcome.err


def test_real_mp100_without_images(call, mp100_annotations, tmp_path):
    files = sorted(mp100_annotations.glob('mp100_split*_[vt][ae][ls]*.json'))
    assert len(files) == 10
    out = tmp_path / 'check.json'
    outcome = call('check_dataset', '--out', out, '--ann-file', *files)
    assert outcome.code == 2
    report = json.loads(out.read_text())
    images = report['images']
    assert images['num_missing'] == images['num_files'] == len(images['missing'])
    by_source = images['by_source']
    assert {row['source'] for row in by_source} == SOURCES.keys()
    names = {}
    for path in files:
        for image in json.loads(path.read_text())['images']:
            folder, _ = image['file_name'].split('/', 1)
            names.setdefault(folder, set()).add(image['file_name'])
    assert images['num_files'] == sum(map(len, names.values()))
    per_source = {r['source']: r['num_missing'] for r in by_source}
    birds = [k for k in names if k in ('tern_body', 'wren_body')]
    assert all(len(names[k]) < per_source['CUB-200'] for k in birds)
    assert per_source['COCO'] == len(names['human_body'])
    assert per_source['AFLW'] == len(names['amur_tiger_body'])
    faces = [k for k in names if k.endswith('_face') and k != 'human_face']
    assert per_source['AnimalWeb'] == sum(len(names[k]) for k in faces)
    assert len(outcome.out.splitlines()) < 90


def test_real_photographs(call, shared_data, tmp_path):
    root = shared_data / 'realcape'
    if not root.is_dir():
        pytest.skip(f'no real photographs: {root} does not exist')
    out = tmp_path / 'check.json'
    arguments = ('--decode', '--num-queries', '3', '--out', out)
    outcome = call('check_dataset', root, *arguments)
    report = json.loads(out.read_text())
    assert report['images']['num_missing'] == 0
    files = sorted((root / 'annotations').glob('*.json'))
    assert [f['retention_percent'] for f in report['files']] == [100] * len(files)
    kinds = {f['kind'] for f in report['findings']}
    assert not kinds  # all decode, with the size that the JSON states
    gaps = [
        f
        for file in report['files']
        for f in file['findings']
        if f['severity'] != 'note'
    ]
    (gap,) = gaps  # four people on two images are too few to keep images apart
    assert gap['items'] == ['6 person_crowd (4 on 2 images)']
    assert outcome.code == 1
