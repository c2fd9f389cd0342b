"""The page: its numbers are those of the metrics, and it is safe whatever the names."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from report_cases import EVIL, RUN, Page, evaluate, make_pair, random_pairs

from cape_mm.analysis import report
from cape_mm.analysis.report import find_warnings, render
from cape_mm.apis import runner as api
from cape_mm.errors import ConfigError


@pytest.fixture(autouse=True)
def quick_curves(monkeypatch):
    """Empty pictures in the place of the curves, which cost time."""
    for name in ('pck_curve', 'reliability_diagram', 'risk_curve'):
        monkeypatch.setattr(report, name, lambda *_: b'<svg/>')


def page_of(pairs, **fields) -> Page:
    metrics, table = evaluate(pairs)
    return Page(render(metrics | fields.pop('metrics', {}), table, **fields))


def test_chapters_are_linked_and_balanced():
    page = page_of(random_pairs())
    ids = [a['id'] for tag, a in page.tags if tag == 'section']
    links = [a['href'] for tag, a in page.tags if tag == 'a']
    assert links == [f'#{name}' for name in ids]
    for word in ('PCK@0.2', 'copy support', 'other episodes', 'cat0', 'thing'):
        assert word in page.text
    assert page.count('img') == 3
    views = [a for tag, a in page.tags if a.get('name') == 'viewport']
    assert views[0]['content'] == 'width=device-width, initial-scale=1'
    boxes = [a.get('class') for tag, a in page.tags if tag == 'div']
    assert boxes.count('scroll') == page.count('table')  # a phone scrolls them


def test_page_needs_nothing_else():
    """No address but those of data within the page; nothing that runs."""
    metrics, table = evaluate(random_pairs())
    text = render(metrics, table)
    page = Page(text)
    sources = [a['src'] for _, a in page.tags if 'src' in a]
    assert sources
    assert all(source.startswith('data:image/') for source in sources)
    assert not {'script', 'link', 'iframe', 'object'} & {tag for tag, _ in page.tags}
    assert not re.search(r'https?://|@import|url\(', re.sub(r'base64,[^"]+', '', text))


def test_text_from_outside_is_escaped_everywhere():
    metrics, table = evaluate(random_pairs(names=[EVIL] * 3))
    metrics['run'] = dict(config=f'{EVIL}.py', checkpoint=EVIL, **{EVIL: [EVIL]})
    metrics[EVIL] = 1.0
    pictures = {(0, 0): EVIL, (1, 0): b'jpg'}
    page = Page(
        render(metrics, table, pictures, {0: [EVIL] * 4}, EVIL)
    )  # a tag that came through would not be balanced or counted
    assert 'script' not in {tag for tag, _ in page.tags}
    assert page.text.count('<script>alert("x")</script> & | `a` *b*') > 10


def test_values_stand_beside_the_floor_and_their_intervals():
    pairs = [make_pair(i, 0, i % 2, [0.1, 0.1, 0.9, 0.1 + 0.4 * i]) for i in range(4)]
    metrics, _ = evaluate(pairs)
    ends = metrics['confidence_intervals']['over_episodes']['PCK@0.2']
    shown = f'{100 * ends["low"]:.1f} to {100 * ends["high"]:.1f}'
    text = page_of(pairs).text
    assert re.search(rf'PCK@0\.2 \[%\] ?56\.2 ?28\.1 ?\+28\.1 ?{shown}', text)
    assert 'PCK@0.2, mean over categories [%]' in text
    assert 'PCK@0.2 56.2 %' in text.replace('0.256.2', '0.2 56.2')  # the card


def test_a_matcher_stands_beside_the_floor():
    pairs = [make_pair(i, 0, i % 2, [0.1, 0.1, 0.9, 0.9]) for i in range(4)]
    assert 'atching' not in page_of(pairs).text
    for pair in pairs:
        copied = pair.floors['copy_support']
        pair.floors['matching'] = replace(copied, values=1.5 * pair.values)
    text = page_of(pairs).text
    assert re.search(r'matching ?75\.0 % ?the floor', text)
    assert re.search(r'PCK@0\.2 \[%\] ?50\.0 ?25\.0 ?\+25\.0 ?75\.0 ?-25\.0', text)
    assert 'not better than matching' in text


def test_a_category_without_a_scored_pair():
    pairs = [*random_pairs(2), make_pair(90, 0, 7, None), make_pair(90, 1, 7, None)]
    page = page_of(pairs)
    assert 'Nothing was scored of 1 of 3 categories: 7 cat7.' in page.text
    partial = 'Partial: 2 of 3 categories, 24 of 26 pairs (image not found: 2)'
    assert partial in page.text
    assert np.isnan(evaluate(pairs)[0]['per_category']['7 cat7']['PCK@0.2'])
    assert 'nan' not in page.text.lower()


def test_keypoints_have_names_where_known():
    pairs = [make_pair(0, 0, 3, [0.1, 0.3, 0.1]), make_pair(0, 1, 3, [0.1, 0.3, 0.3])]
    text = page_of(pairs, keypoint_names={3: ['nose', 'tail']}).text
    assert '3 cat3: 3 keypoints, 50.0 %' in text
    for row in ('0 nose100.02', '1 tail0.02', '250.02'):
        assert row in text.replace(' 100', '100').replace(' 0.0', '0.0')


def test_pictures_and_what_stands_for_a_missing_one():
    pairs = [make_pair(7, 0, 1, [0.1, 0.1]), make_pair(7, 1, 1, [0.1, 0.9])]
    page = page_of(pairs, pictures={(7, 0): b'jpg'})
    caption = 'Only episode: number 7, 75.0 % over 2 pairs; shown: query 0, 100.0 %'
    assert caption in page.text
    assert [a['alt'] for tag, a in page.tags if tag == 'img'][-1] == caption
    page = page_of(pairs, pictures={(7, 0): 'image not found'})
    assert f'{caption}. No picture: image not found.' in page.text


def test_warnings():
    pairs = [make_pair(0, 0, 1, [0.9]), make_pair(0, 1, 1, None)]
    run = {**RUN, 'num_missing_images': 3, 'trained_categories_in_test': 1}
    run['trained_on'] = {'partial': '2 of 3 categories'}
    texts = find_warnings({**evaluate(pairs)[0], 'num_pairs_empty': 2}, run)
    assert texts[0].startswith('Partial: 1 of 1 categories, 1 of 2 pairs (image not f')
    assert texts[0].endswith('Do not compare this result with published numbers.')
    assert '2 scored pairs share no visible keypoint' in texts[1]
    assert texts[2] == '3 image files are missing.'
    assert 'trained on 1 of the tested categories' in texts[3]
    assert texts[4] == 'The model was trained on partial data: 2 of 3 categories.'
    assert 'not better than copying' in texts[5]
    assert find_warnings(evaluate([make_pair(0, 0, 1, [0.1])])[0], RUN) == []


def test_refusals_before_a_long_test(toy_config, tmp_path):
    api.train(toy_config, tmp_path / 'w', cfg_options={'train_cfg.max_epochs': 1})
    arguments = toy_config, tmp_path / 'w/epoch_1.pth', tmp_path / 't'
    with pytest.raises(ConfigError, match='EpisodePCK.*has RunToyMetric$'):
        api.test(*arguments, report=tmp_path / 'r')
    assert not list(tmp_path.glob('t/metrics.json'))
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='^report .*file/r: no file can be writ'):
        api.test(*arguments, report=tmp_path / 'file/r')
