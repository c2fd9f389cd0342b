"""From a checkpoint to its report."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from tool_calls import FAST, TINY, Outcome

ANNOTATIONS = 'annotations/synthetic_split1_test.json'
EVIL = '<script>evil()</script>'


@pytest.fixture
def root(synthetic_root, tmp_path) -> Path:
    """Data with a dangerous category name and without one category's images."""
    root = tmp_path / 'data'
    shutil.copytree(synthetic_root, root)
    path = root / ANNOTATIONS
    content = json.loads(path.read_text())
    first, second = content['categories']
    first['name'] = EVIL
    path.write_text(json.dumps(content))
    gone = {a['image_id'] for a in content['annotations'] if is_of(a, second)}
    for image in content['images']:
        if image['id'] in gone:
            (root / 'images' / image['file_name']).unlink(missing_ok=True)
    return root


def is_of(annotation: dict, category: dict) -> bool:
    return annotation['category_id'] == category['id']


@pytest.fixture
def run_test(call, root, checkpoint, tmp_path):
    """Tests weights that no training has seen, in a work directory of its own."""

    def run(name: str, *arguments: str | Path, options: tuple[str, ...] = ()):
        return call(
            *('test', TINY, checkpoint, '--work-dir', tmp_path / name),
            *(*arguments, *FAST, f'data_root={root}', *options),
        )

    return run


def read(folder: Path) -> str:
    """The page without its pictures."""
    page = (folder / 'report.html').read_text(encoding='utf-8')
    return re.sub('base64,[^"]*', 'base64,', page)


def succeed(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.err
    return outcome


def test_report_of_a_test(run_test, root, tmp_path):
    report = tmp_path / 'deep/report'
    outcome = succeed(run_test('w', '--report', report))
    assert f'report: {report / "report.html"}' in outcome.out
    page = read(report)
    metrics = json.loads((tmp_path / 'w/metrics.json').read_text())
    for text in (
        *(metrics['run']['annotations_sha256'], metrics['run']['episodes_sha256']),
        *(f'{100 * metrics["PCK@0.2"]:.1f}', 'Partial: 1 of 2 categories', 'mmengine'),
    ):
        assert text in page
    assert '<script' not in page
    assert '&lt;script&gt;evil()' in page
    assert page.count('data:image/jpeg') == 2  # two episodes of what is left
    assert page.count('data:image/svg') == 3


def test_report_changes_no_number(run_test, tmp_path):
    succeed(run_test('a'))
    succeed(run_test('b', '--report', tmp_path / 'r', options=prefix('novel')))
    plain, prefixed = (
        json.loads((tmp_path / name / 'metrics.json').read_text()) for name in 'ab'
    )
    assert plain['PCK@0.2'] == prefixed['novel/PCK@0.2']
    assert f'{100 * plain["PCK@0.2"]:.1f} %' in read(tmp_path / 'r')
    assert not list((tmp_path / 'b').glob('*preds*'))


def prefix(name: str) -> tuple[str, ...]:
    return (f'test_evaluator.prefix={name}',)
