"""The page: valid, self-contained, and safe whatever the names are."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from report_cases import EVIL, Page, evaluate, make_pair, random_pairs

from cape_mm.analysis.report.blocks import (
    Code,
    Figure,
    Folded,
    Report,
    Section,
    Table,
    Text,
)
from cape_mm.analysis.report.content import build_report
from cape_mm.analysis.report.html import to_html

pytestmark = pytest.mark.usefixtures('quick_curves')


def page_of(evaluation):
    return to_html(build_report(evaluation))


def test_page_is_balanced_and_has_all_chapters():
    report = build_report(evaluate(random_pairs()))
    page = Page(to_html(report))
    ids = [a['id'] for tag, a in page.tags if tag == 'section']
    links = [a['href'] for tag, a in page.tags if tag == 'a']
    assert ids == [section.name for section in report.sections]
    assert links == [f'#{name}' for name in ids]
    for word in ('PCK@0.2', 'copy support', 'other episodes', 'cat0', 'thing'):
        assert word in page.text
    assert page.count('img') == 3


def test_page_needs_nothing_else():
    """No address but those of data within the page; nothing that runs."""
    text = page_of(evaluate(random_pairs()))
    page = Page(text)
    sources = [a['src'] for _, a in page.tags if 'src' in a]
    assert sources
    assert all(source.startswith('data:image/') for source in sources)
    assert not {'script', 'link', 'iframe', 'object'} & {tag for tag, _ in page.tags}
    assert not re.search(r'https?://|@import|url\(', re.sub(r'base64,[^"]+', '', text))


def test_page_fits_a_phone():
    page = Page(page_of(evaluate(random_pairs())))
    views = [a for tag, a in page.tags if a.get('name') == 'viewport']
    assert views[0]['content'] == 'width=device-width, initial-scale=1'
    boxes = [a.get('class') for tag, a in page.tags if tag == 'div']
    assert boxes.count('scroll') == page.count('table')


def test_text_from_outside_is_escaped_everywhere():
    evaluation = evaluate(
        random_pairs(names=[EVIL] * 3),
        run=dict(config=f'{EVIL}.py', checkpoint=EVIL, **{EVIL: EVIL}),
        keypoint_names={0: [EVIL] * 4},
        config_text=EVIL,
        data_files=[(EVIL, EVIL)],
        environment={EVIL: EVIL},
        other_numbers={EVIL: 1.0},
    )
    text = page_of(evaluation)
    page = Page(text)  # a tag that came through would not be balanced or counted
    assert 'script' not in {tag for tag, _ in page.tags}
    assert page.text.count('<script>alert("x")</script> & | `a` *b*') > 10
    assert '\x00' not in text
    text.encode('utf-8')  # a lone surrogate could not be written


def test_every_block_is_escaped():
    blocks = [
        Text(EVIL),
        Code(EVIL),
        Table((EVIL, EVIL), [(EVIL, EVIL)]),
        Figure('name', b'x', 'svg', EVIL),
        Folded(EVIL, [Text(EVIL)]),
    ]
    section = Section('name', EVIL, blocks)
    report = Report(EVIL, EVIL, [(EVIL,) * 3], [Text(EVIL, True)], [section])
    page = Page(to_html(report))
    assert 'script' not in {tag for tag, _ in page.tags}
    # twice the title, link and heading of the section; the figure's alt is no text
    assert page.text.count('<script>') == 2 + 1 + 3 + 1 + 2 + 1 + 1 + 4 + 1 + 2


@pytest.mark.parametrize('value', [-0.1, 0.0, 0.637, 1.0])
def test_bars_stay_in_their_column(value):
    evaluation = evaluate(random_pairs(num_categories=2))
    rows = evaluation.metrics['per_category']
    changed = {name: {**row, 'PCK@0.2': value} for name, row in rows.items()}
    metrics = {**evaluation.metrics, 'per_category': changed}
    page = Page(page_of(replace(evaluation, metrics=metrics)))
    fills = [a['style'] for _, a in page.tags if a.get('class') == 'fill']
    assert fills[0] == f'width:{100 * max(value, 0):.1f}%'


def test_a_category_without_a_scored_pair_has_no_bar():
    pairs = [*random_pairs(2), make_pair(90, 0, 7, None), make_pair(90, 1, 7, None)]
    page = Page(page_of(evaluate(pairs)))
    assert 'Nothing was scored of 1 of 3 categories: 7 cat7.' in page.text
    assert (
        'Partial: 2 of 3 categories, 24 of 26 pairs (image not found: 2)' in page.text
    )
    assert 'nan' not in page.text.lower()
