"""A headless Chromium that clicks and drags on the page's pictures."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60
"""Seconds until something must have happened."""


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
    """

    def __init__(self, url: str, downloads: Path) -> None:
        browser, driver = find_programs()
        options = ChromeOptions()
        options.binary_location = browser
        for flag in (
            *('--headless=new', '--no-sandbox', '--disable-dev-shm-usage'),
            *('--window-size=1300,1000', '--disable-gpu', '--no-first-run'),
        ):
            options.add_argument(flag)
        prefs = {'download.default_directory': str(downloads)}
        options.add_experimental_option('prefs', prefs)
        options.set_capability('goog:loggingPrefs', {'performance': 'ALL'})
        self.driver = Chrome(options=options, service=Service(driver))
        self.url = url
        self.driver.get(url)

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
        wait = WebDriverWait(self.driver, PATIENCE, 0.1)
        return wait.until(lambda _: condition())

    def text(self, selector: str) -> str:
        """What a reader sees of an element."""
        script = (
            'const e = document.querySelector(arguments[0]); return e && e.innerText'
        )
        return self.driver.execute_script(script, selector) or ''

    def wait_for(self, selector: str, text: str) -> None:
        """Wait until an element says something."""
        self.wait(lambda: text in self.text(selector))

    def upload(self, selector: str, paths: Sequence[Path]) -> None:
        """Choose files in an upload field."""
        field = self.find(f'{selector} input[type=file]')
        field.send_keys('\n'.join(map(str, paths)))

    def press(self, selector: str) -> None:
        """Click the first element that can be seen."""

        def find_visible() -> WebElement | None:
            found = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in found if element.is_displayed()), None)

        button = self.wait(find_visible)
        self.driver.execute_script(
            'arguments[0].scrollIntoView({block: "center"})', button
        )
        button.click()

    def _at(self, selector: str, place: Sequence[float]) -> ActionChains:
        """The mouse over a pixel of a picture."""
        image = self.find(f'{selector} img')
        script = (
            'const i = arguments[0]; i.scrollIntoView({block: "center"});'
            'const b = i.getBoundingClientRect();'
            'return [b.width, b.height, i.naturalWidth, i.naturalHeight]'
        )
        width, height, own_width, own_height = self.driver.execute_script(script, image)
        scale = min(width / own_width, height / own_height)
        x = (place[0] + 0.5 - own_width / 2) * scale
        y = (place[1] + 0.5 - own_height / 2) * scale
        chain = ActionChains(self.driver, duration=50)
        return chain.move_to_element_with_offset(image, round(x), round(y))

    def click(self, selector: str, place: Sequence[float]) -> None:
        """Click a pixel of a picture."""
        self._at(selector, place).click().perform()

    def drag(self, selector: str, start: Sequence[float], by: tuple[int, int]) -> None:
        """Drag from a pixel of a picture by some pixels of the screen."""
        chain = self._at(selector, start).click_and_hold()
        chain.move_by_offset(by[0] // 2, by[1] // 2)
        chain.move_by_offset(by[0] - by[0] // 2, by[1] - by[1] // 2)
        chain.release().perform()

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

    def box(self, selector: str) -> dict[str, float]:
        """Where the first such element lies in the window."""
        script = 'return arguments[0].getBoundingClientRect().toJSON()'
        return self.driver.execute_script(script, self.find(selector))

    def screenshot(self, path: Path) -> None:
        """The whole page, however long."""
        size = self.driver.execute_cdp_cmd('Page.getLayoutMetrics', {})[
            'cssContentSize'
        ]
        clip = dict(x=0, y=0, width=size['width'], height=size['height'], scale=1)
        options = dict(captureBeyondViewport=True, clip=clip)
        image = self.driver.execute_cdp_cmd('Page.captureScreenshot', options)
        path.write_bytes(base64.b64decode(image['data']))
