"""The Markdown file: tables that hold, names that stay names, links that lead."""

from __future__ import annotations

import re

import pytest
from report_cases import EVIL, evaluate, random_pairs

from cape_mm.analysis.report.blocks import Code, Figure, Folded, Report, Section, Text
from cape_mm.analysis.report.content import build_report
from cape_mm.analysis.report.markdown import curves_of, escape, to_markdown

pytestmark = pytest.mark.usefixtures('quick_curves')


def columns(line: str) -> int:
    """Cells of a line: bars that no backslash stands before."""
    return len(re.findall(r'(?<!\\)\|', line)) - 1


def blocks_of_lines(text: str) -> list[list[str]]:
    """Runs of lines that begin with a bar."""
    runs = re.findall(r'(?:^\|.*\n)+', text, re.MULTILINE)
    return [run.splitlines() for run in runs]


def one_block(*blocks) -> str:
    return to_markdown(Report('t', 's', [], [], [Section('name', 'n', blocks)]))


def test_tables_have_one_number_of_columns():
    text = to_markdown(build_report(evaluate(random_pairs(names=[EVIL] * 3))))
    tables = blocks_of_lines(text)
    assert len(tables) >= 8
    for lines in tables:
        assert len({columns(line) for line in lines}) == 1
        assert set(lines[1]) <= set('|: -')


def test_escape():
    assert escape('a|b_c*d`e\n<i>&') == r'a\|b\_c\*d\`e &lt;i&gt;&amp;'
    assert escape('a\x00\ud800') == 'a\N{REPLACEMENT CHARACTER}' * 1 + (
        '\N{REPLACEMENT CHARACTER}'
    )


def test_no_tag_of_a_name_comes_through():
    evaluation = evaluate(
        random_pairs(names=[EVIL] * 3),
        run=dict(config=EVIL, checkpoint=EVIL),
        keypoint_names={0: [EVIL] * 4},
    )
    text = to_markdown(build_report(evaluation))
    assert set(re.findall(r'</?\w+', text)) <= {
        *('<details', '</details', '<summary', '</summary'),
    }
    text.encode('utf-8')


def test_fence_is_longer_than_any_in_the_text():
    text = one_block(Code('a\n```\n# no heading\n````\nb'))
    assert text.count('`````') == 2


def test_curves_are_linked_and_pictures_left_out():
    curve = Figure('curve', b'<svg/>', 'svg', 'A curve_1')
    photo = Figure('photo', b'jpg', 'jpg', 'A picture')
    folded = Folded('fold', [curve, photo])
    text = one_block(photo, folded)
    assert '![A curve\\_1](figures/curve.svg)' in text
    assert 'photo' not in text
    assert curves_of([photo, folded]) == [curve]


def test_warning_stands_out():
    assert '> **Partial \\| data**' in one_block(Text('Partial | data', True))


def test_empty_fold_is_left_out():
    assert '<details>' not in one_block(Folded('fold', []))
