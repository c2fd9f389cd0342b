"""The page in a real browser: marking, predicting, correcting, and losing nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from demo_cases import png
from predict_cases import write_pictures
from pycocotools.coco import COCO

from cape_mm.demo.pictures import Limits
from cape_mm.demo.serving import running_page

pytest.importorskip('uvicorn', reason='uvicorn is not installed: extra `demo`')
pytest.importorskip('selenium', reason='Selenium is not installed')

from demo_browser import Browser, find_programs  # noqa: E402 (needs Selenium)
from selenium.webdriver.common.keys import Keys  # noqa: E402

if find_programs() is None:
    pytest.skip('chromium and chromedriver are not installed', allow_module_level=True)

POINTS = [(20, 15), (40, 15), (30, 40)]
"""On a picture of 64 x 60 pixels."""
LIMITS = Limits(max_file_bytes=100_000, max_queries=4, max_shots=2, max_sessions=99)


@pytest.fixture(scope='module')
def url(inferencer):
    with running_page(inferencer, 'epoch_1.pth', port=0, limits=LIMITS) as (url, _):
        yield url


@pytest.fixture(scope='module')
def window(url, tmp_path_factory):
    window = Browser(url, tmp_path_factory.mktemp('downloads'))
    yield window
    window.close()


@pytest.fixture
def browser(window):
    """A window of 1400 x 900 with an empty page."""
    window.empty()
    yield window
    assert window.errors() == []


def mark(browser: Browser, picture: Path) -> None:
    """Upload a picture, click three points, the first of a given name."""
    browser.upload('support', [picture])
    browser.wait_for('#support .name', picture.name)
    browser.choose('#support [data-change=names]', 'nose')
    for point in POINTS:
        browser.click('support', point)
    browser.wait_for('#status', 'points 3')


def add_queries(browser: Browser, pictures: list[Path]) -> None:
    before = len(browser.queries())
    browser.upload('query', pictures)
    browser.wait(lambda: len(browser.queries()) == before + len(pictures))


def wait_predicted(browser: Browser) -> None:
    """Wait until nothing is left to predict."""
    browser.wait(lambda: 'to predict' not in browser.text('#status'))
    browser.saved()


def marked_points(browser: Browser) -> list:
    """Of the first picture's object, in the order in which they were marked."""
    points = browser.work()['pictures'][0]['objects'][0]['points']
    return [points[key] for key in sorted(points, key=int)]


@pytest.fixture
def predicted(browser, tmp_path) -> Browser:
    """Three points on one picture, predicted on two others, all shown."""
    mark(browser, *write_pictures(tmp_path, ['a.png']))
    add_queries(browser, write_pictures(tmp_path, ['b.png', 'c.png']))
    browser.choose('#threshold', '0')
    browser.press('#predict')
    wait_predicted(browser)
    return browser


def test_from_the_first_picture_to_the_file(browser, tmp_path):
    files = write_pictures(tmp_path, ['süß (1).png', 'query 1.png', 'query 2.jpg'])
    mark(browser, files[0])
    browser.press('#support [data-tool=connect]')
    browser.click('support', POINTS[0])
    browser.click('support', POINTS[1])
    browser.press('#support [data-tool=point]')
    browser.drag('support', POINTS[2], (33, 42))
    add_queries(browser, files[1:])
    browser.press('#predict')
    wait_predicted(browser)
    browser.choose('#threshold', '0')
    browser.choose('#category', 'mouse')
    coco = COCO(browser.download('coco'))
    names = [image['file_name'] for image in coco.dataset['images']]
    assert names == ['süß (1).png', 'query 1.png', 'query 2.jpg']
    category = coco.dataset['categories'][0]
    assert category['name'] == 'mouse'
    assert category['keypoints'] == ['nose', 'point 2', 'point 3']
    assert category['skeleton'] == [[0, 1]]
    support = np.reshape(coco.dataset['annotations'][0]['keypoints'], (3, 3))
    np.testing.assert_allclose(support[:, :2], [*POINTS[:2], (33, 42)], atol=0.1)
    assert all(ann['num_keypoints'] == 3 for ann in coco.dataset['annotations'])
    assert browser.download('labelme').suffix == '.zip'
    outside = {
        address
        for address in browser.requests()
        if not address.startswith((browser.url, 'data:', 'blob:', 'chrome'))
    }
    assert outside == set()


def test_a_click_beside_a_marker_makes_a_point_and_one_on_it_selects(browser, tmp_path):
    browser.upload('support', write_pictures(tmp_path, ['a.png']))
    browser.wait_for('#support .name', 'a.png')
    browser.click('support', (30, 30))
    zoom = browser.zoom_of('support')
    browser.click('support', (30 + 5 / zoom, 30))
    browser.wait_for('#support .hint', 'point 2')
    assert len(browser.work()['keypoints']) == 1
    browser.click('support', (30 + 8 / zoom, 30))
    browser.wait_for('#status', 'points 2')
    browser.zoom('support', (10, 10), 8)  # points a pixel apart
    browser.click('support', (10, 10))
    browser.click('support', (11, 10))
    browser.wait_for('#status', 'points 4')
    np.testing.assert_allclose(
        marked_points(browser)[2:], [[10, 10], [11, 10]], atol=0.1
    )


def test_correction_absence_and_a_further_support(predicted):
    browser = predicted
    browser.press('#query .points li:nth-child(1)')
    browser.click('query', (12, 13))
    browser.wait_for('#query .points li:nth-child(1)', 'by hand')
    browser.press('#query .points li:nth-child(2)')
    browser.keys(Keys.DELETE)
    browser.wait_for('#query .points li:nth-child(2)', 'not there')
    found = browser.state()['predictions']
    browser.press('#reuse')
    browser.wait_for('#status', 'supports 2')
    wait_predicted(browser)  # by itself
    other = str(browser.work()['pictures'][2]['objects'][0]['id'])
    assert browser.state()['predictions'][other]['points'] != found[other]['points']
    (own,) = browser.work()['pictures'][1]['objects']
    assert own['shot']
    corrected, absent, _ = own['points'].values()  # the third was found right
    np.testing.assert_allclose(corrected, [12, 13], atol=0.1)
    assert absent is None
    browser.keys('n')
    browser.wait_for('#query .name', 'c.png')
    browser.press('#reuse')
    browser.wait_for('#messages', 'at most 2 supports')


def test_boxes_make_several_objects_of_a_picture(predicted):
    browser = predicted
    browser.press('#query [data-tool=box]')
    for start, end in (((5, 5), (25, 40)), ((58, 52), (30, 10))):
        browser.drag('query', start, end)
    wait_predicted(browser)
    browser.wait_for('#pictures .shown', '2 objects')
    objects = browser.work()['pictures'][1]['objects']
    boxes = [one['box'] for one in objects]
    # edges of boxes lie between pixels, half a pixel from the centres
    expected = [[5.5, 5.5, 20, 35], [30.5, 10.5, 28, 42]]
    np.testing.assert_allclose(boxes, expected, atol=0.2)
    coco = COCO(browser.download('coco'))
    anns = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
    np.testing.assert_allclose([ann['bbox'] for ann in anns], boxes, atol=0.01)
    browser.keys(Keys.DELETE)
    browser.wait(lambda: '2 objects' not in browser.text('#pictures'))


def test_everything_is_undone_also_removals(predicted):
    browser = predicted
    before = browser.work()
    browser.drag('support', POINTS[0], (10, 10))
    browser.press('#support .points li:nth-child(3) b')
    browser.press('#support [data-do=drop]')
    browser.press('#pictures li:nth-child(2)')
    browser.press('#query [data-do=remove]')
    browser.press('#support [data-do=remove]')
    browser.press('[data-do=clear]')
    browser.wait_for('#status', 'points 0')
    for _ in range(5):
        browser.keys(Keys.CONTROL, 'z')
    wait_predicted(browser)
    assert browser.work() == before
    browser.keys(Keys.CONTROL, 'y')
    browser.saved()
    np.testing.assert_allclose(marked_points(browser)[0], (10, 10), atol=0.1)


def test_keys_move_points_and_leaf_through_pictures(predicted):
    browser = predicted
    browser.click('support', POINTS[0])
    x, y = marked_points(browser)[0]
    browser.keys(Keys.ARROW_RIGHT)
    browser.keys(Keys.SHIFT, Keys.ARROW_DOWN)
    assert marked_points(browser)[0] == [x + 1, y + 10]
    for key, name in (('n', 'c.png'), ('n', 'b.png'), ('p', 'c.png')):
        browser.keys(key)
        browser.wait_for('#query .name', name)
    browser.find('#support [data-change=names]').send_keys('n')  # a letter of a name
    assert 'c.png' in browser.text('#query .name')


def test_what_can_not_be_used_is_skipped_with_a_word(browser, tmp_path):
    large, text = tmp_path / 'large.png', tmp_path / 'text.png'
    large.write_bytes(png(0) + bytes(100_000))
    text.write_text('no picture')
    good = write_pictures(tmp_path, [f'{i}.png' for i in range(5)])
    browser.upload('query', [large, text, *good])
    browser.wait_for('#messages', '4.png is skipped: at most 4 are taken')
    browser.wait_for('#messages', 'large.png is skipped: it has more than')
    browser.wait_for('#messages', 'text.png is skipped: text.png: does not decode')
    browser.wait(lambda: len(browser.queries()) == 4)
    assert browser.work()['pictures'][0]['name'] == '0.png'


def test_reload_and_crash_of_the_server_lose_nothing(inferencer, tmp_path):
    """The first server is gone with its memory; the second has the same address."""
    files = write_pictures(tmp_path, ['a.png', 'b.png', 'c.png'])
    (downloads := tmp_path / 'downloads').mkdir()
    limits = Limits()
    with running_page(inferencer, 'a.pth', port=0, limits=limits) as (url, _):
        browser = Browser(url, downloads)
        mark(browser, files[0])
        add_queries(browser, files[1:2])
        browser.press('#predict')
        wait_predicted(browser)
        before = browser.state()
        browser.load()
        browser.saved()
        assert browser.state() == before
        assert '1/1 b.png' in browser.text('#query .name')
    try:
        browser.click('support', (50, 50))  # marks, though the server is away
        browser.wait_for('#messages', 'the server does not answer')
        browser.saved()
        port = urlsplit(url).port
        with running_page(inferencer, 'a.pth', port=port, limits=limits):
            wait_predicted(browser)  # asks again, with the pictures
            browser.load()
            browser.saved()
            assert len(browser.work()['keypoints']) == 4
            (found,) = browser.state()['predictions'].values()
            assert len(found['points']) == 4
    finally:
        browser.close()


def test_a_session_goes_through_a_file(predicted, tmp_path):
    browser = predicted
    before = browser.work()
    browser.press('[data-do=save]')
    path = browser.wait(lambda: next(browser.downloads.glob('session*.json'), None))
    path = Path(shutil.move(path, tmp_path / 'session.json'))
    names = [picture['name'] for picture in json.loads(path.read_text())['pictures']]
    assert names == ['a.png', 'b.png', 'c.png']
    browser.empty()  # another browser
    browser.find('[data-change=open]').send_keys(str(path))
    browser.wait_for('#messages', 'Now add the pictures')
    browser.upload('query', [tmp_path / name for name in names])
    for side in ('support', 'query'):
        empty = browser.find(f'#{side} .empty')
        browser.wait(lambda empty=empty: not empty.is_displayed())
    browser.press('#predict')
    wait_predicted(browser)
    work = browser.work()
    assert work['pictures'] == before['pictures']
    path.write_text('{"pictures": 3}')
    browser.find('[data-change=open]').send_keys(str(path))
    browser.wait_for('#messages', 'is no session')
    assert browser.work() == work


def test_a_second_tab_takes_the_work_over(predicted):
    browser = predicted
    first = browser.driver.current_window_handle
    browser.driver.switch_to.new_window('tab')
    browser.load()
    browser.wait_for('#status', 'points 3')
    second = browser.driver.current_window_handle
    browser.driver.switch_to.window(first)
    browser.wait_for('#messages', 'goes on in another tab')
    browser.driver.switch_to.window(second)
    browser.driver.close()
    browser.driver.switch_to.window(first)


def test_two_browsers_have_works_of_their_own(predicted, url, tmp_path):
    other = Browser(url, tmp_path)
    try:
        assert 'points 0' in other.text('#status')
        other.upload('support', write_pictures(tmp_path, ['z.png']))
        other.wait_for('#support .name', 'z.png')
    finally:
        other.close()
    predicted.load()
    assert 'a.png' in predicted.text('#support .name')


def test_a_click_is_drawn_at_once(predicted):
    """From the click until the point is on the canvas, the slowest of some."""
    assert max(predicted.click_times('support', [(50, y) for y in (10, 20, 30)])) < 100


@pytest.mark.parametrize(('width', 'height'), [(1400, 900), (420, 900)])
def test_page_fits_the_window(predicted, width, height):
    browser = predicted
    browser.resize(width, height)
    assert not browser.is_too_wide()
    support, query = browser.box('#support canvas'), browser.box('#query canvas')
    if width > 1000:
        assert support['right'] <= query['left']
        assert browser.box('footer')['bottom'] <= height
    else:
        assert support['bottom'] <= query['top']
        browser.driver.execute_script('window.scrollTo(0, 600)')
        assert 0 <= browser.box('#predict')['top'] < height
