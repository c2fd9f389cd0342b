"""A report from files alone, and the files that none can be made of."""

from __future__ import annotations

import json
import re

import pytest
from report_cases import RUN, Page, evaluate, random_pairs

from cape_mm.analysis.report import report_stored
from cape_mm.errors import AnnotationFormatError, ConfigError, MissingDataError
from cape_mm.evaluation import write_metrics
from cape_mm.evaluation.result_file import results_path, write_results

pytestmark = pytest.mark.usefixtures('quick_curves')


@pytest.fixture
def result(tmp_path):
    """Metrics file of a test, and its pairs."""
    evaluation = evaluate(random_pairs(2))
    path = write_metrics(
        {**evaluation.metrics, 'run': RUN}, tmp_path / 'w' / 'metrics.json'
    )
    write_results(evaluation.table, results_path(path), RUN)
    return path


def test_numbers_and_pairs(result):
    page = report_stored(result.parent)
    assert page == result.parent / 'report/report.html'
    text = Page(page.read_text(encoding='utf-8')).text
    for expected in ('Evaluation of some', 'cat1', '(--dump)', 'best', 'worst'):
        assert expected in text


def test_numbers_alone(result, tmp_path):
    results_path(result).unlink()
    page = report_stored(result, tmp_path / 'elsewhere')
    ids = re.findall(r'<section id="(\w+)"', page.read_text(encoding='utf-8'))
    assert 'overall' in ids
    assert 'episodes' not in ids


def test_a_later_report_replaces_an_earlier_one(result):
    first = report_stored(result).read_text(encoding='utf-8')
    second = report_stored(result).read_text(encoding='utf-8')
    stamp = r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}'
    assert re.sub(stamp, '', first) == re.sub(stamp, '', second)
    names = sorted(path.name for path in (result.parent / 'report').iterdir())
    assert names == ['figures', 'report.html', 'report.md']


def test_dump_without_its_labels(result):
    for one in (dict(dump='d.json'), dict(ann_file='a.json')):
        with pytest.raises(ConfigError, match='--dump and --ann-file'):
            report_stored(result, **one)


def test_dump_of_another_test(result, monkeypatch):
    other = evaluate(random_pairs(3))

    class Scored:
        def evaluate(self, size):
            return other.metrics

    module = 'cape_mm.analysis.report.stored'
    monkeypatch.setattr(f'{module}.read_dump', lambda path: type('D', (), RUN | EMPTY))
    monkeypatch.setattr(f'{module}.AnnotationIndex.read', lambda paths: None)
    monkeypatch.setattr(f'{module}.rescore', lambda *args: Scored())
    with pytest.raises(ConfigError, match='another test.*num_pairs is 36, not 24'):
        report_stored(result, dump='d.json', ann_file='a.json')


EMPTY = {'episodes': ()}


def test_no_metrics_file(tmp_path):
    with pytest.raises(MissingDataError, match='metrics.json. tools/test.py writes'):
        report_stored(tmp_path)


@pytest.mark.parametrize('text', ['', '{', '[1]', '"x"'])
def test_a_damaged_metrics_file(result, text):
    result.write_text(text)
    with pytest.raises(AnnotationFormatError, match='metrics.json is not a'):
        report_stored(result)


def test_metrics_of_another_kind(result):
    result.write_text(json.dumps({'loss': 0.5}))
    with pytest.raises(ConfigError, match='metrics.json does not have them all'):
        report_stored(result)


def test_a_folder_that_can_not_be_one(result):
    with pytest.raises(
        ConfigError, match='--out .*below_a_file: no file can be written there'
    ):
        report_stored(result, result / 'below_a_file')
