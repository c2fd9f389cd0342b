"""A headless Chromium that clicks, drags and types on the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60
"""Seconds until something must have happened."""

TO_SCREEN = """
const [side, x, y, done] = arguments;
import('/static/page.js').then(({views}) => {
  const box = views[side].canvas.getBoundingClientRect();
  const [left, top] = views[side].toScreen(x, y);
  // from the middle of the canvas, as the driver rounds it
  const from = (start, length) => start - Math.floor(start + length / 2);
  done([left + from(box.left, box.width), top + from(box.top, box.height)]);
});
"""


WATCH_CLICKS = """
const [side, done] = arguments;
import('/static/page.js').then(({views}) => {
  const view = views[side], draw = view.draw;
  const count = () => view.scene.objects.flatMap(({points}) => points).length;
  let clicked = 0, before = 0;
  window.clickTimes = [];
  view.canvas.addEventListener('pointerup', ({timeStamp}) => {
    [clicked, before] = [timeStamp, count()];
  }, true);
  view.draw = () => {
    draw.call(view);
    if (!clicked || count() === before) return;
    window.clickTimes.push(performance.now() - clicked);
    clicked = 0;
  };
  done();
});
"""


def find_programs() -> tuple[str, str] | None:
    """Chromium and its driver, or None."""
    names = ('chromium', 'chromium-browser', 'google-chrome')
    browser = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which('chromedriver')
    return (browser, driver) if browser and driver else None


class Browser:
    """A window with the page in it.

    Args:
        url: of the page.
        downloads: folder for what is downloaded.
        profile: folder of what the browser keeps; None: nothing outlives it.
    """

    def __init__(self, url: str, downloads: Path, profile: Path | None = None) -> None:
        browser, driver = find_programs()
        options = ChromeOptions()
        options.binary_location = browser
        for flag in (
            *('--headless=new', '--no-sandbox', '--disable-dev-shm-usage'),
            *('--window-size=1400,900', '--disable-gpu', '--no-first-run'),
            '--disable-background-networking',
            *([] if profile is None else [f'--user-data-dir={profile}']),
        ):
            options.add_argument(flag)
        prefs = {'download.default_directory': str(downloads)}
        options.add_experimental_option('prefs', prefs)
        options.set_capability('goog:loggingPrefs', {'performance': 'ALL'})
        self.driver = Chrome(options=options, service=Service(driver))
        self.url, self.downloads = url, downloads
        self.resize(1400, 900)
        self.load()

    def load(self) -> None:
        """Open the page, or open it again."""
        self.driver.get(self.url)
        self.find('body[data-is-ready]')

    def empty(self) -> None:
        """Forget the work, and open the page in a window of its first size."""
        self.resize(1400, 900)
        self.driver.get(f'{self.url}static/page.css')  # leaves the page
        script = (
            'const wish = indexedDB.deleteDatabase("cape_mm");'
            'wish.onsuccess = wish.onerror = arguments[0]'
        )
        self.driver.execute_async_script(script)
        self.load()

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()

    def find(self, selector: str) -> WebElement:
        """The element, as soon as it is there."""
        return self.wait(
            lambda: next(iter(self.driver.find_elements(By.CSS_SELECTOR, selector)), 0)
        )

    def wait(self, condition: Callable[[], Any]) -> Any:
        """What the condition gives as soon as it is true."""
        ignored = [StaleElementReferenceException]  # the page has drawn it anew
        wait = WebDriverWait(self.driver, PATIENCE, 0.05, ignored)
        return wait.until(lambda _: condition())

    def wait_script(self, script: str) -> None:
        """Wait until a script of the page returns true."""
        self.wait(lambda: self.driver.execute_script(script))

    def text(self, selector: str) -> str:
        """What a reader sees of the elements."""
        script = (
            'return [...document.querySelectorAll(arguments[0])]'
            '.map((e) => e.innerText).join("\\n")'
        )
        return self.driver.execute_script(script, selector)

    def wait_for(self, selector: str, text: str) -> None:
        """Wait until an element says something."""
        self.wait(lambda: text in self.text(selector))

    def saved(self) -> None:
        """Wait until the page says that all is saved."""
        self.wait_for('#kept', 'All is saved')

    def upload(self, side: str, paths: Sequence[Path]) -> None:
        """Choose picture files on one side of the page."""
        field = self.find(f'#{side} [data-change=add]')
        field.send_keys('\n'.join(map(str, paths)))

    def press(self, selector: str) -> None:
        """Click a button."""
        script = 'arguments[0].scrollIntoView({block: "center"})'

        def press() -> bool:
            button = self.find(selector)
            self.driver.execute_script(script, button)
            button.click()
            return True

        self.wait(press)

    def choose(self, selector: str, value: str) -> None:
        """Give a field a value, as its user would."""
        script = (
            'const [field, value] = arguments; field.value = value;'
            "for (const name of ['input', 'change'])"
            'field.dispatchEvent(new Event(name, {bubbles: true}))'
        )
        self.driver.execute_script(script, self.find(selector), value)

    def keys(self, *keys: str) -> None:
        """Type where the focus is; the first ones are held during the last."""
        chain = ActionChains(self.driver)
        for key in keys[:-1]:
            chain.key_down(key)
        chain.send_keys(keys[-1])
        for key in keys[:-1]:
            chain.key_up(key)
        chain.perform()

    def at(self, side: str, place: Sequence[float]) -> ActionChains:
        """The mouse over a place of a picture, in its pixels."""
        canvas = self.find(f'#{side} canvas')
        self.driver.execute_script(
            'arguments[0].scrollIntoView({block: "nearest"})', canvas
        )
        x, y = self.driver.execute_async_script(TO_SCREEN, side, *map(float, place))
        chain = ActionChains(self.driver, duration=0)
        return chain.move_to_element_with_offset(canvas, round(x), round(y))

    def click(self, side: str, place: Sequence[float]) -> None:
        """Click a place of a picture, in its pixels."""
        self.at(side, place).click().perform()

    def drag(self, side: str, start: Sequence[float], end: Sequence[float]) -> None:
        """Drag between two places of a picture, in its pixels."""
        self.at(side, start).click_and_hold().perform()
        middle = [(a + b) / 2 for a, b in zip(start, end)]
        self.at(side, middle).perform()
        self.at(side, end).release().perform()

    def zoom(self, side: str, place: Sequence[float], turns: int) -> None:
        """Turn the mouse wheel over a place of a picture."""
        self.at(side, place).perform()
        script = (
            'const [canvas, deltaY] = arguments, box = canvas.getBoundingClientRect();'
            'canvas.dispatchEvent(new WheelEvent("wheel", {deltaY, cancelable: true,'
            'clientX: box.x + arguments[2], clientY: box.y + arguments[3]}))'
        )
        canvas = self.find(f'#{side} canvas')
        size = canvas.size
        x, y = self.driver.execute_async_script(TO_SCREEN, side, *map(float, place))
        middle = (x + size['width'] / 2, y + size['height'] / 2)
        for _ in range(abs(turns)):
            turn = -120 if turns > 0 else 120
            self.driver.execute_script(script, canvas, turn, *middle)

    def state(self) -> dict:
        """What the browser keeps."""
        script = (
            'const done = arguments[0], wish = indexedDB.open("cape_mm");'
            'wish.onsuccess = () => { const get = wish.result.transaction("work")'
            '.objectStore("work").get("state"); get.onsuccess = () =>'
            '{ wish.result.close(); done(get.result) } }'
        )
        return self.driver.execute_async_script(script)

    def work(self) -> dict:
        """The work, when it is saved."""
        self.saved()
        return self.state()['work']

    def queries(self) -> list[WebElement]:
        """The cards of the pictures to predict."""
        return self.driver.find_elements(By.CSS_SELECTOR, '#pictures li')

    def zoom_of(self, side: str) -> float:
        """Pixels of the screen per pixel of the picture."""
        place = self.driver.execute_async_script(TO_SCREEN, side, 0.0, 0.0)
        other = self.driver.execute_async_script(TO_SCREEN, side, 10.0, 0.0)
        return (other[0] - place[0]) / 10

    def click_times(self, side: str, places: Sequence[Sequence[float]]) -> list[float]:
        """Milliseconds from a click until its new point is drawn."""
        self.driver.execute_async_script(WATCH_CLICKS, side)
        for number, place in enumerate(places, start=1):
            self.click(side, place)
            self.wait_script(f'return window.clickTimes.length === {number}')
        return self.driver.execute_script('return window.clickTimes')

    def errors(self) -> list[str]:
        """What the page's scripts complain about."""
        return [
            entry['message']
            for entry in self.driver.get_log('browser')
            if entry['source'] not in ('network',)
        ]

    def box(self, selector: str) -> dict[str, float]:
        """Where the first such element lies in the window."""
        script = 'return arguments[0].getBoundingClientRect().toJSON()'
        return self.driver.execute_script(script, self.find(selector))

    def download(self, kind: str) -> Path:
        """The file that a format gives."""
        before = set(self.downloads.iterdir())
        self.choose('#format', kind)
        self.press('[data-do=download]')

        def find_new() -> Path | None:
            new = set(self.downloads.iterdir()) - before
            done = (path for path in new if path.suffix in ('.json', '.csv', '.zip'))
            return next(done, None)

        return self.wait(find_new)

    def requests(self) -> set[str]:
        """Addresses that the page has asked for."""
        messages = [
            json.loads(entry['message'])['message']
            for entry in self.driver.get_log('performance')
        ]
        return {
            message['params']['request']['url']
            for message in messages
            if message['method'] == 'Network.requestWillBeSent'
        }

    def resize(self, width: int, height: int) -> None:
        """Give the page a window of this size, however small."""
        size = dict(width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)

    def is_too_wide(self) -> bool:
        """Whether the page has to be scrolled sideways."""
        root = (
            'const e = document.documentElement; return e.scrollWidth > e.clientWidth'
        )
        return self.driver.execute_script(root)
