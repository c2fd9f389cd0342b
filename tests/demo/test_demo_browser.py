"""The page in a real browser, from the first picture to the downloaded file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from predict_cases import write_checkpoint, write_pictures
from pycocotools.coco import COCO
from test_demo_serving import free_port

from cape_mm.demo.serving import running_page
from cape_mm.inference import CapeInferencer

pytest.importorskip('gradio', reason='Gradio is not installed: extra `demo`')
pytest.importorskip('selenium', reason='Selenium is not installed')

from demo_browser import Browser, find_programs  # noqa: E402 (needs Selenium)
from selenium.webdriver.common.keys import Keys  # noqa: E402

if find_programs() is None:
    pytest.skip('chromium and chromedriver are not installed', allow_module_level=True)

POINTS = [(200, 150), (400, 150), (300, 400)]
"""In pixels of the view, 640 x 600, of a picture of 64 x 60."""

GRID = '#gallery .grid-wrap'
SLIDER = '#threshold input[type=range]'


@pytest.fixture(scope='module')
def inferencer(tmp_path_factory) -> CapeInferencer:
    path = write_checkpoint(tmp_path_factory.mktemp('weights') / 'epoch_1.pth')
    return CapeInferencer(checkpoint=path, device='cpu')


@pytest.fixture
def browser(inferencer, tmp_path):
    """A window with the page."""
    downloads = tmp_path / 'downloads'
    downloads.mkdir()
    with running_page(inferencer, 'epoch_1.pth', port=free_port()) as (url, _):
        window = Browser(url, downloads)
        yield window
        window.close()


def mark(browser: Browser, picture: Path) -> None:
    """Upload, name and click three points, connect two and drag the third."""
    browser.wait_for('#support_hint', 'Upload')
    browser.upload('#support_files', [picture])
    browser.wait_for('#support_hint', 'Next click adds point 1')
    browser.find('#names textarea, #names input').send_keys('nose, tail\n')
    browser.wait_for('#support_hint', 'Next click marks: 1 nose')
    browser.click('#support_view', POINTS[0])
    browser.wait_for('#support_hint', 'Next click marks: 2 tail')
    browser.click('#support_view', POINTS[1])
    browser.wait_for('#support_hint', 'adds point 3')
    browser.click('#support_view', POINTS[2])
    browser.wait_for('#status', '3 points')
    browser.press('#mode label:nth-of-type(3)')
    browser.wait_for('#support_hint', 'Click the first of two points')
    browser.click('#support_view', POINTS[0])
    browser.wait_for('#support_hint', 'From 1 nose')
    browser.click('#support_view', POINTS[1])
    browser.wait_for('#status', '1 line ')
    before = browser.text('#support_table')
    browser.drag('#support_view', POINTS[2], (40, 20))
    browser.wait(lambda: browser.text('#support_table') != before)


def predict(browser: Browser, pictures: list[Path]) -> None:
    """Upload and predict, all points shown."""
    browser.upload('#query_files', pictures)
    browser.wait_for('#status', f'{len(pictures)} pictures to predict')
    browser.wait_for('#gallery', 'not predicted')
    browser.press('#predict')
    browser.wait(lambda: 'not predicted' not in browser.text('#gallery'))


def download(browser: Browser, folder: Path) -> COCO:
    browser.press('#download')
    path = browser.wait(lambda: next(iter(folder.glob('*.json')), None))
    return COCO(shutil.move(path, folder.parent / 'downloaded.json'))


def test_from_the_first_picture_to_the_coco_file(browser, tmp_path):
    files = write_pictures(tmp_path, ['süß (1).png', 'query 1.png', 'query 2.jpg'])
    mark(browser, files[0])
    predict(browser, files[1:])
    browser.find(SLIDER).send_keys(Keys.HOME)
    browser.wait_for('#gallery', '3/3: query 1.png')
    browser.screenshot(tmp_path / 'predicted.png')
    coco = download(browser, tmp_path / 'downloads')
    names = [image['file_name'] for image in coco.dataset['images']]
    assert names == ['süß (1).png', 'query 1.png', 'query 2.jpg']
    category = coco.dataset['categories'][0]
    assert category['keypoints'] == ['nose', 'tail', 'point 3']
    assert category['skeleton'] == [[0, 1]]
    support = np.reshape(coco.dataset['annotations'][0]['keypoints'], (3, 3))
    # a pixel of the picture is ten of the view; the third was dragged away
    expected = (np.array(POINTS[:2]) + 0.5) / 10 - 0.5
    np.testing.assert_allclose(support[:2, :2], expected, atol=0.2)
    assert (support[2, :2] > (np.array(POINTS[2]) + 0.5) / 10 + 0.5).all()
    assert all(ann['num_keypoints'] == 3 for ann in coco.dataset['annotations'])
    outside = {
        address
        for address in browser.requests()
        if not address.startswith((browser.url, 'data:', 'blob:', 'chrome'))
    }
    assert outside == set()


def test_threshold_correction_and_a_further_shot(browser, tmp_path):
    files = write_pictures(tmp_path, ['a.png', 'b.png', 'c.png'])
    mark(browser, files[0])
    predict(browser, files[1:])
    browser.find(SLIDER).send_keys(Keys.END)
    browser.wait_for('#gallery', '0/3: b.png')
    browser.press('#reuse')
    browser.wait(lambda: 'shows no point' in browser.text('body'))
    browser.press('#query_table [data-testid="cell-0-1"]')
    browser.wait_for('#query_hint', 'Click where nose belongs')
    browser.click('#query_view', (100, 100))
    browser.wait_for('#query_table', 'by hand')
    browser.wait_for('#gallery', '1/3: b.png')
    browser.press('#reuse')
    browser.wait_for('#status', '2 support pictures')
    browser.wait_for('#status', 'press Predict again')
    browser.press('#query_undo')
    browser.wait_for('#status', '1 support picture marked')


@pytest.mark.parametrize(('width', 'height'), [(1400, 1000), (360, 800)])
def test_page_fits_the_window_with_its_captions(browser, tmp_path, width, height):
    browser.resize(width, height)
    mark(browser, *write_pictures(tmp_path, ['a.png']))
    predict(browser, write_pictures(tmp_path, [f'query {i}.png' for i in range(3)]))
    root = 'const e = document.documentElement; return [e.scrollWidth, e.clientWidth]'
    needed, there = browser.driver.execute_script(root)
    assert needed <= there
    caption, grid = browser.box('#gallery .caption-label'), browser.box(GRID)
    assert grid['top'] < caption['top'] < caption['bottom'] <= grid['bottom']
