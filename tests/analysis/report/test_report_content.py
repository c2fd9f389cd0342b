"""The report's numbers are those of the metrics, also where some are missing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from report_cases import RUN, Page, evaluate, make_pair, random_pairs

from cape_mm.analysis.report.blocks import Bar, Folded, Section, Table, Text
from cape_mm.analysis.report.content import build_report
from cape_mm.analysis.report.html import to_html
from cape_mm.analysis.report.markdown import to_markdown
from cape_mm.analysis.report.prefixes import run_of, split_metrics
from cape_mm.errors import ConfigError
from cape_mm.evaluation import write_metrics

pytestmark = pytest.mark.usefixtures('quick_curves')


def section(evaluation, name) -> Section:
    (found,) = (s for s in build_report(evaluation).sections if s.name == name)
    return found


def rows(evaluation, name) -> dict:
    """Rows of a section's first table by their first cell, as dicts by title."""
    table = next(b for b in section(evaluation, name).blocks if isinstance(b, Table))
    return {row[0]: dict(zip(table.header, row)) for row in table.rows}


def test_overall_values_stand_beside_the_floor_and_their_intervals():
    pairs = [make_pair(i, 0, i % 2, [0.1, 0.1, 0.9, 0.1 + 0.4 * i]) for i in range(4)]
    evaluation = evaluate(pairs)
    found = rows(evaluation, 'overall')['PCK@0.2 [%]']
    ends = evaluation.metrics['confidence_intervals']['over_episodes']['PCK@0.2']
    assert (found['method'], found['copy support']) == ('56.2', '28.1')
    assert found['difference'] == '+28.1'
    shown = f'{100 * ends["low"]:.1f} to {100 * ends["high"]:.1f}'
    assert found['95 %, other episodes'] == shown
    assert 'PCK@0.2, mean over categories [%]' in rows(evaluation, 'overall')


def test_a_matcher_stands_beside_the_floor():
    pairs = [make_pair(i, 0, i % 2, [0.1, 0.1, 0.9, 0.9]) for i in range(4)]
    for pair in pairs:
        copied = pair.floors['copy_support']
        pair.floors['matching'] = replace(copied, values=1.5 * pair.values)
    evaluation = evaluate(pairs)
    (row, *_) = rows(evaluation, 'categories').values()
    assert row['matching'] == rows(evaluation, 'overall')['PCK@0.2 [%]']['matching']
    assert row['matching'] == '75.0'
    report = build_report(evaluation)
    assert ('matching', '75.0 %', 'the floor') in report.cards
    (warning,) = report.warnings
    assert 'not better than matching' in warning.text
    plain = build_report(evaluate([make_pair(0, 0, 1, [0.1])]))
    assert 'atching' not in to_markdown(plain)


def test_every_row_of_the_categories():
    evaluation = evaluate([*random_pairs(2), make_pair(99, 0, 5, None)])
    found = rows(evaluation, 'categories')
    assert list(found) == ['0 cat0', '1 cat1', '5 cat5']
    row = evaluation.metrics['per_category']['1 cat1']
    _, table, *_ = section(evaluation, 'categories').blocks
    assert table.bars[1] == Bar(row['PCK@0.2'], row['copy_support/PCK@0.2'])
    assert table.bars[2] == Bar(None)
    assert found['1 cat1']['PCK@0.2 [%]'] == f'{100 * row["PCK@0.2"]:.1f}'
    assert found['5 cat5'] == {
        'category (id name)': '5 cat5',
        'PCK@0.2 [%]': '-',
        '95 %': '-',
        'copy support': '-',
        'difference': '-',
        'mPCK5': '-',
        'pairs': '0',
        'dropped': '1',
    }


def test_cards_show_the_key_figures():
    evaluation = evaluate([make_pair(i, 0, i % 2, [0.1, 0.9]) for i in range(4)])
    cards = {name: value for name, value, _ in build_report(evaluation).cards}
    assert cards == {
        'PCK@0.2': '50.0 %',
        'PCK@0.2, macro': '50.0 %',
        'copy support': '25.0 %',
        'mPCK5': '30.0 %',
        'pairs': '4',
        'categories': '2',
    }


def test_keypoints_have_names_where_known():
    pairs = [make_pair(0, 0, 3, [0.1, 0.3, 0.1]), make_pair(0, 1, 3, [0.1, 0.3, 0.3])]
    evaluation = evaluate(pairs, keypoint_names={3: ['nose', 'tail']})
    (fold,) = section(evaluation, 'keypoints').blocks
    assert fold.title == '3 cat3: 3 keypoints, 50.0 %'
    assert fold.blocks[0].rows == [
        ('0 nose', '100.0', '2'),
        ('1 tail', '0.0', '2'),
        ('2', '50.0', '2'),
    ]


def test_hidden_and_seen():
    found = rows(evaluate([make_pair(0, 0, 1, [0.3, 0.1])]), 'visibility')
    assert found['hidden (v = 1)']['PCK@0.2 [%]'] == '0.0'
    assert found['seen (v = 2)']['PCK@0.2 [%]'] == '100.0'


def test_no_confidences():
    evaluation = evaluate(random_pairs(has_confidence=False))
    blocks = section(evaluation, 'confidence').blocks
    assert blocks == [Text('The model gives no confidences.')]
    Page(to_html(build_report(evaluation)))


def test_one_category_has_no_interval_over_categories():
    evaluation = evaluate(random_pairs(num_categories=1, num_episodes=1))
    found = rows(evaluation, 'overall')['PCK@0.2 [%]']
    assert found['95 %, other categories'] == found['95 %, other episodes'] == '-'


def test_one_pair_without_a_group():
    evaluation = evaluate([make_pair(0, 0, 1, [0.1], supercategory='')])
    assert section(evaluation, 'groups').blocks[0].text.startswith('The annotation')
    Page(to_html(build_report(evaluation)))


def test_many_keypoints():
    evaluation = evaluate(random_pairs(1, num_keypoints=68, num_episodes=2))
    (fold,) = section(evaluation, 'keypoints').blocks
    assert len(fold.blocks[0].rows) == 68


def test_warnings():
    pairs = [make_pair(0, 0, 1, [0.9]), make_pair(0, 1, 1, None)]
    run = {**RUN, 'num_missing_images': 3, 'trained_categories_in_test': 1}
    run['trained_on'] = {'partial': '2 of 3 categories'}
    metrics = {**evaluate(pairs).metrics, 'num_pairs_empty': 2}
    evaluation = evaluate(pairs, run=run, metrics=metrics)
    texts = [warning.text for warning in build_report(evaluation).warnings]
    assert texts[0].startswith('Partial: 1 of 1 categories, 1 of 2 pairs (image not f')
    assert texts[0].endswith('Do not compare this result with published numbers.')
    assert texts[1] == '3 image files are missing.'
    assert 'trained on 1 of the tested categories' in texts[2]
    assert texts[3] == 'The model was trained on partial data: 2 of 3 categories.'
    assert '2 scored pairs share no visible keypoint' in texts[4]
    assert 'not better than copying' in texts[5]
    good = evaluate([make_pair(0, 0, 1, [0.1])])
    assert build_report(good).warnings == []


def test_numbers_of_a_file_give_the_same_report(tmp_path):
    """A missing value is null in a file and NaN in Python."""
    live = evaluate([*random_pairs(2), make_pair(99, 0, 5, None)])
    path = write_metrics(live.metrics, tmp_path / 'metrics.json')
    stored = replace(live, metrics=json.loads(path.read_text()))
    assert build_report(stored) == build_report(live)


def test_where_it_comes_from():
    evaluation = evaluate(
        random_pairs(1),
        run={'ann_files': ['a.json', 'b.json'], 'trained_on': {'partial': 'x'}},
        environment=dict(device='cpu', versions=dict(torch='2.1'), commit=None),
        data_files=[('data/x.json', 'abc')],
        other_numbers={'loss': 0.5},
        config_text='model = dict()',
    )
    *_, origin = build_report(evaluation).sections
    table, others, config = origin.blocks
    assert ('torch', '2.1') in table.rows
    assert ('annotation files', 'a.json, b.json') in table.rows
    assert ('trained on', 'partial: x') in table.rows
    assert ('SHA-256 of data/x.json', 'abc') in table.rows
    assert 'commit' not in dict(table.rows)
    assert isinstance(others, Folded)
    assert others.blocks[0].rows == [('loss', '0.5')]
    assert config.blocks[0].text == 'model = dict()'


def test_pictures_and_what_stands_for_a_missing_one():
    pairs = random_pairs(1, num_episodes=2)
    choices = section(evaluate(pairs), 'episodes').blocks[1].blocks[0].rows
    (best, worst) = ((int(row[1]), int(row[4])) for row in choices)
    pictures = {best: b'jpg', worst: 'image not found'}
    fold = section(evaluate(pairs, pictures=pictures), 'episodes').blocks[1]
    assert (fold.blocks[0].content, fold.blocks[0].kind) == (b'jpg', 'jpg')
    assert fold.blocks[1].text.endswith('No picture: image not found.')


def test_caption_tells_the_episode_from_the_pair():
    pairs = [make_pair(7, 0, 1, [0.1, 0.1]), make_pair(7, 1, 1, [0.1, 0.9])]
    fold = section(evaluate(pairs, pictures={(7, 0): b'jpg'}), 'episodes').blocks[1]
    assert fold.title == '1 cat1'
    assert fold.blocks[0].caption == (
        '1 cat1. Only episode: number 7, 75.0 % over 2 pairs; shown: query 0, 100.0 %'
    )


def prefixed(prefix, metrics):
    return {f'{prefix}{key}': value for key, value in metrics.items()}


@pytest.mark.parametrize('prefix', ['', 'novel/', 'a/b/'])
def test_prefix_is_taken_off(prefix):
    metrics = evaluate(random_pairs(1)).metrics
    others = {'loss': 0.5, 'run': {'config': 'x'}, 'trained_categories_in_test': 1}
    own, numbers = split_metrics({**prefixed(prefix, metrics), **others})
    assert {key: own[key] for key in metrics} == metrics
    if prefix:
        assert numbers == {'loss': 0.5, 'trained_categories_in_test': 1}
    assert run_of(others) == {'config': 'x', 'trained_categories_in_test': 1}


def test_the_first_of_several_is_shown():
    first, second = (evaluate(random_pairs(n)).metrics for n in (1, 2))
    for prefixes in (('', 'b/'), ('a/', 'b/')):
        both = {**prefixed(prefixes[0], first), **prefixed(prefixes[1], second)}
        own, numbers = split_metrics(both)
        assert own == first
        assert numbers['b/num_categories'] == 2


@pytest.mark.parametrize(
    'metrics',
    [
        {},
        {'loss': 1.0},
        {'num_pairs': 3},
        {'x/num_pairs': 3, 'PCK@0.2': 0.5},
    ],
)
def test_other_metrics_are_refused(metrics):
    with pytest.raises(ConfigError, match='here does not have them all'):
        split_metrics(metrics, 'here')


def test_rows_of_another_kind_are_refused():
    metrics = evaluate(random_pairs(1)).metrics
    for rows_ in ({'cat0': metrics['per_category']['0 cat0']}, {'0 cat0': {}}):
        with pytest.raises(ConfigError, match='EpisodePCK'):
            split_metrics({**metrics, 'per_category': rows_})


def test_nan_is_never_shown():
    pairs = [*random_pairs(1), make_pair(99, 0, 5, None)]
    text = to_markdown(build_report(evaluate(pairs)))
    assert np.isnan(evaluate(pairs).metrics['per_category']['5 cat5']['PCK@0.2'])
    assert 'nan' not in text.lower()
