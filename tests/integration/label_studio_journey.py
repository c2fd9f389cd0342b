"""A real Label Studio, a real browser and the back end, from nothing to points.

Not a part of `make test`: it needs Label Studio and Chromium. How to run it::

    python -m venv /tmp/ls && /tmp/ls/bin/pip install label-studio
    apt-get install chromium chromium-driver
    pip install selenium starlette uvicorn
    python tests/integration/label_studio_journey.py --label-studio /tmp/ls \
        --coco DATA/annotations/val.json --images DATA/images --category fruit_fly \
        --boxes-category goldfish --out /tmp/journey

Label Studio keeps its data (SQLite) in a folder below --out; its first start takes
minutes, a later one with the same folder seconds. The COCO file is any with
keypoints; the second category has pictures with several objects. Every step prints what
it saw and ends the run where that is wrong; pictures of the browser go to --out.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = 'journey@example.com', 'journey-password'
NUM_PICTURES = 20


class LabelStudio:
    """Label Studio in a process of its own, used as a browser would use it."""

    def __init__(self, environment: Path, folder: Path) -> None:
        port = free_port()
        self.url, self.folder = f'http://127.0.0.1:{port}', folder
        # it does not send to addresses of its own machine otherwise
        settings = dict(ML_BLOCK_LOCAL_IP='false', SSRF_PROTECTION_ENABLED='false')
        # what it waits for the back end, on a machine with other work
        names = 'ML_CONNECTION_TIMEOUT', 'ML_TIMEOUT_HEALTH', 'ML_TIMEOUT_SETUP'
        settings |= dict.fromkeys((*names, 'WEBHOOK_TIMEOUT'), '30')
        quiet = dict(COLLECT_ANALYTICS='False', LATEST_VERSION_CHECK='False')
        data = dict(LABEL_STUDIO_BASE_DATA_DIR=str(folder / 'data'))
        log = (folder / 'label_studio.log').open('w')  # noqa: SIM115
        self.process = subprocess.Popen(
            [environment / 'bin/label-studio', 'start', '--no-browser']
            + ['--internal-host', '127.0.0.1', '--port', str(port)]
            + ['--username', USER, '--password', PASSWORD],
            env={**os.environ, **settings, **quiet, **data},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.cookies = http.cookiejar.CookieJar()
        handler = urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(handler)

    def log_in(self) -> None:
        """Log in and make an access token."""
        wait_for(lambda: self.call('/health'), 900)
        page = self.opener.open(f'{self.url}/user/login/').read().decode()
        secret = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page)[1]
        form = dict(email=USER, password=PASSWORD, csrfmiddlewaretoken=secret)
        self.opener.open(
            f'{self.url}/user/login/', urllib.parse.urlencode(form).encode()
        )
        kept = self.folder / 'key.txt'
        if not kept.is_file():  # a user has one only
            kept.write_text(self.call('/api/token/', {})['token'])
        self.key = kept.read_text()

    def call(
        self, path: str, body: object = None, method: str | None = None
    ) -> dict | list:
        """Call its API, logged in."""
        data, headers = None, {}
        if isinstance(body, bytes):
            data, headers['Content-Type'] = body, 'multipart/form-data; boundary=x0x'
        elif body is not None:
            data, headers['Content-Type'] = (
                json.dumps(body).encode(),
                'application/json',
            )
        for cookie in self.cookies:
            if cookie.name == 'csrftoken':
                headers['X-CSRFToken'] = cookie.value
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            content = self.opener.open(request, timeout=150).read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f'{path}: {error.code} {error.read()[:600]}') from error
        return json.loads(content) if content else {}

    def make_project(self, title: str, config: str, pictures: list[Path]) -> tuple:
        """A project with uploaded pictures; its id and its tasks' ids by name."""
        made = dict(title=title, label_config=config, show_collab_predictions=True)
        project = self.call('/api/projects/', made)['id']
        for path in pictures:
            head = (
                f'--x0x\r\nContent-Disposition: form-data; name="file"; '
                f'filename="{path.name}"\r\nContent-Type: image/jpeg\r\n\r\n'
            )
            body = head.encode() + path.read_bytes() + b'\r\n--x0x--\r\n'
            self.call(f'/api/projects/{project}/import', body)
        tasks = self.call(f'/api/tasks/?project={project}&page_size=100')['tasks']
        names = {task['data']['image'].rsplit('-', 1)[1]: task['id'] for task in tasks}
        return project, names

    def connect(self, project: int, url: str, **options: object) -> dict:
        """Connect a back end."""
        body = dict(project=project, url=url, title='cape_mm', **options)
        return self.call('/api/ml/', body)

    def retrieve(self, project: int) -> dict[int, dict]:
        """The data manager's "Retrieve Predictions"; the latest prediction by task."""
        body = dict(selectedItems=dict(all=True, excluded=[]))
        name = 'retrieve_tasks_predictions'
        self.call(f'/api/dm/actions?id={name}&project={project}', body)
        found = self.call(f'/api/predictions/?project={project}')
        ours = [one for one in found if one['model_version'].startswith('cape_mm.')]
        return {one['task']: one for one in sorted(ours, key=lambda one: one['id'])}

    def annotate(self, task: int, results: list[dict]) -> int:
        """Annotate a task; the annotation's id."""
        made = self.call(f'/api/tasks/{task}/annotations/', dict(result=results))
        return made['id']


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        return server.getsockname()[1]


def wait_for(attempt: Callable[[], object], seconds: float) -> object:
    """The first answer that is no error and not empty."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := attempt():
                return answer
        except (OSError, RuntimeError):
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f'FAILED: nothing within {seconds} s')
        time.sleep(0.5)


def check(is_right: bool, text: str) -> None:
    """Say what was seen, and stop where it is wrong."""
    print('ok    ' if is_right else 'FAILED', text, flush=True)
    if not is_right:
        raise SystemExit(1)


def make_config(names: list[str], category: str) -> str:
    """The labelling interface of a category."""
    points = ''.join(f'<Label value="{name}"/>' for name in names)
    return (
        '<View><Image name="picture" value="$image" zoom="true"/>'
        f'<RectangleLabels name="frame" toName="picture" smart="true">'
        f'<Label value="{category}"/></RectangleLabels>'
        f'<KeyPointLabels name="point" toName="picture">{points}</KeyPointLabels>'
        '</View>'
    )


def regions(objects: list[dict], size: tuple, names: list[str], box: str) -> list[dict]:
    """COCO annotations as a person leaves them in Label Studio: no region has a parent.

    Args:
        objects: of one picture.
        size: (w, h) of it.
        names: of the keypoints; empty: boxes only.
        box: label of the boxes; empty: none.
    """
    shared = dict(original_width=size[0], original_height=size[1], image_rotation=0)
    shared['to_name'] = 'picture'
    results = []
    scale = 100 / np.array([*size, *size])
    for one in objects:
        if box:
            x, y, w, h = np.array(one['bbox']) * scale
            value = dict(x=x, y=y, width=w, height=h, rotation=0, rectanglelabels=[box])
            results.append(dict(type='rectanglelabels', from_name='frame', value=value))
        marks = np.reshape(one['keypoints'], (-1, 3))
        for name, (x, y, v) in zip(names, marks):
            if v > 0:
                value = dict(x=x * scale[0], y=y * scale[1], width=0.5)
                value['keypointlabels'] = [name]
                results.append(
                    dict(type='keypointlabels', from_name='point', value=value)
                )
    return [dict(id=secrets.token_hex(5)) | one | shared for one in results]


def points_of(results: list[dict]) -> dict[tuple, np.ndarray]:
    """(x, y) in pixels by parent and name."""
    found = {}
    for one in results:
        if one['type'] == 'keypointlabels':
            place = np.array([one['value']['x'], one['value']['y']]) / 100
            name = one['value']['keypointlabels'][0]
            size = one['original_width'], one['original_height']
            found[one.get('parentID'), name] = place * size
    return found


class Category:
    """Pictures of one category of a COCO file, with their objects."""

    def __init__(self, coco: Path, images: Path, name: str, num_objects: int) -> None:
        content = json.loads(coco.read_text())
        [category] = [one for one in content['categories'] if one['name'] == name]
        self.name, self.names = name, category['keypoints']
        by_image: dict[int, list] = {}
        for one in content['annotations']:
            if one['category_id'] == category['id']:
                by_image.setdefault(one['image_id'], []).append(one)
        infos = {one['id']: one for one in content['images']}
        # in the file's own order, pictures with so many objects first
        order = sorted(by_image, key=lambda key: len(by_image[key]) != num_objects)
        self.paths, self.objects, self.sizes = [], {}, {}
        for key in order[:NUM_PICTURES]:
            path = images / infos[key]['file_name']
            if path.name not in self.objects:
                self.paths.append(path)
                self.objects[path.name] = by_image[key]
                self.sizes[path.name] = infos[key]['width'], infos[key]['height']


def error_of(category: Category, name: str, prediction: dict) -> np.ndarray:
    """Distance from the truth of every point of a picture, in longer sides of boxes."""
    found, errors = points_of(prediction['result']), []
    parents = list(dict.fromkeys(parent for parent, _ in found))
    for parent, one in zip(parents, category.objects[name]):
        for key, (x, y, v) in zip(
            category.names, np.reshape(one['keypoints'], (-1, 3))
        ):
            if v > 0 and (parent, key) in found:
                distance = np.linalg.norm(found[parent, key] - (x, y))
                errors.append(distance / max(one['bbox'][2:]))
    return np.array(errors)


def start_backend(server: LabelStudio, folder: Path, processes: list) -> str:
    """The tool under test; its address."""
    port = free_port()
    tool = ROOT / 'tools/label_studio_backend.py'
    options = ['--label-studio', server.url, '--port', str(port), '--token', 'sesame']
    with open(folder / 'backend.log', 'w') as log:
        process = subprocess.Popen(
            [sys.executable, tool, *options],
            env={**os.environ, 'LABEL_STUDIO_API_KEY': server.key},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    processes.append(process)
    text = folder / 'backend.log'
    wait_for(lambda: 'Label Studio finds it' in text.read_text(), 900)
    return f'http://127.0.0.1:{port}'


def one_object(server: LabelStudio, url: str, category: Category) -> int:
    """Annotate one picture, see the others, correct it, see them move."""
    config = make_config(category.names, category.name)
    project, tasks = server.make_project(category.name, config, category.paths)
    check(len(tasks) == len(category.paths), f'{len(tasks)} pictures uploaded')
    wrong = dict(auth_method='BASIC_AUTH', basic_auth_user='any')
    try:
        server.connect(project, url, basic_auth_pass='wrong', **wrong)
        check(False, 'a wrong token is refused')
    except RuntimeError as error:
        check('authentication parameters' in str(error), f'wrong token: {error}')
    right = dict(wrong, basic_auth_pass='sesame')
    server.connect(project, url, **right)
    [hook] = server.call(f'/api/webhooks/?project={project}')
    server.call(
        f'/api/webhooks/{hook["id"]}/',
        dict(headers={'Authorization': 'Bearer sesame'}),
        'PATCH',
    )
    check(not server.retrieve(project), 'no prediction before the first annotation')
    first = category.paths[0].name
    marked = regions(category.objects[first], category.sizes[first], category.names, '')
    annotation = server.annotate(tasks[first], marked)
    start = time.monotonic()
    before = server.retrieve(project)
    seconds = time.monotonic() - start
    check(len(before) == len(tasks), f'{len(before)} predicted in {seconds:.1f} s')
    others = [path.name for path in category.paths[1:]]
    errors = [error_of(category, name, before[tasks[name]]) for name in others]
    share = np.mean(np.concatenate(errors) < 0.2)
    check(share > 0.3, f'{share:.0%} of points closer than 0.2 of the longer side')
    moved = [dict(one, value=dict(one['value'])) for one in marked]
    for one in moved:
        one['value']['x'] = 100 - one['value']['x']
    server.call(f'/api/annotations/{annotation}/', dict(result=moved), 'PATCH')
    after = server.retrieve(project)
    shifts = [
        np.mean([np.linalg.norm(new[key] - old[key]) for key in old])
        for name in others
        for old, new in [[points_of(p[tasks[name]]['result']) for p in (before, after)]]
    ]
    check(min(shifts) > 0, f'corrected: others moved by {np.mean(shifts):.0f} pixels')
    server.call(f'/api/annotations/{annotation}/', dict(result=marked), 'PATCH')
    again = server.retrieve(project)
    is_same = all(again[t]['result'] == before[t]['result'] for t in before)
    check(is_same, 'corrected back: the points of the first time')
    second = category.paths[1].name
    server.annotate(
        tasks[second],
        regions(category.objects[second], category.sizes[second], category.names, ''),
    )
    both = server.retrieve(project)
    check(
        both[tasks[others[-1]]]['model_version']
        != again[tasks[first]]['model_version'],
        'a second annotation is a second support',
    )
    return project


def many_objects(server: LabelStudio, url: str, category: Category) -> int:
    """Boxes of a detector on every picture, one annotated: points in every box."""
    config = make_config(category.names, category.name)
    project, tasks = server.make_project(category.name, config, category.paths)
    for name, task in tasks.items():
        objects, size = category.objects[name], category.sizes[name]
        boxes = regions(objects, size, [], category.name)
        body = dict(task=task, result=boxes, model_version='detector')
        server.call('/api/predictions/', body)
    first = category.paths[0].name
    objects, size = category.objects[first], category.sizes[first]
    server.annotate(tasks[first], regions(objects, size, category.names, category.name))
    auth = dict(
        auth_method='BASIC_AUTH', basic_auth_user='any', basic_auth_pass='sesame'
    )
    made = server.connect(project, url, is_interactive=True, **auth)
    found = server.retrieve(project)
    counts = {}
    for name, task in tasks.items():
        parents = {parent for parent, _ in points_of(found[task]['result'])}
        counts[name] = (len(parents), len(category.objects[name]))
    check(
        all(a == b for a, b in counts.values()) and max(counts.values())[0] > 1,
        f'{sum(a for a, _ in counts.values())} objects in {len(counts)} pictures',
    )
    others = [path.name for path in category.paths[1:]]
    errors = [error_of(category, name, found[tasks[name]]) for name in others]
    share = np.mean(np.concatenate(errors) < 0.2)
    check(share > 0.3, f'{share:.0%} of points closer than 0.2 of the longer side')
    name = others[0]
    drawn = regions(category.objects[name][:1], category.sizes[name], [], category.name)
    body = dict(task=tasks[name], context=dict(result=drawn))
    answer = server.call(f'/api/ml/{made["id"]}/interactive-annotating', body)
    kinds = {one['type'] for one in answer['data']['result']}
    parents = {one.get('parentID') for one in answer['data']['result']}
    check(
        kinds == {'keypointlabels'} and parents == {drawn[0]['id']},
        'a box that is being drawn gets its points',
    )
    return project


class Browser:
    """Chromium without a window."""

    def __init__(self, server: LabelStudio, out: Path) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        for flag in ('headless', 'no-sandbox', 'disable-gpu', 'window-size=1400,900'):
            options.add_argument(f'--{flag}')
        options.add_argument('--disable-background-networking')
        driver = shutil.which('chromedriver')
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(driver))
        self.server, self.out = server, out
        self.terminate = self.driver.quit
        self.driver.get(f'{server.url}/user/login/')
        self.driver.find_element('name', 'email').send_keys(USER)
        self.driver.find_element('name', 'password').send_keys(PASSWORD)
        self.driver.find_element('css selector', 'form button').click()
        time.sleep(3)

    def show(self, path: str, name: str, seconds: float = 6) -> None:
        """Open a page and take a picture of it."""
        self.driver.get(self.server.url + path)
        time.sleep(seconds)
        self.driver.save_screenshot(str(self.out / f'{name}.png'))
        print(f'      {self.out / name}.png', flush=True)


def main() -> None:
    """Run the journey."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--label-studio', type=Path, required=True, help='its venv')
    parser.add_argument('--coco', type=Path, required=True)
    parser.add_argument('--images', type=Path, required=True)
    parser.add_argument('--category', required=True)
    parser.add_argument('--boxes-category', required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--no-browser', action='store_true')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    server = LabelStudio(args.label_studio, args.out)
    processes = [server.process]
    try:
        server.log_in()
        print(f'      Label Studio is there after {time.monotonic() - start:.0f} s')
        url = start_backend(server, args.out, processes)
        given = args.coco, args.images
        one = one_object(server, url, Category(*given, args.category, 1))
        many = many_objects(server, url, Category(*given, args.boxes_category, 2))
        if not args.no_browser:
            browser = Browser(server, args.out)
            processes.append(browser)
            browser.show(f'/projects/{one}/data', 'tasks')
            browser.show(f'/projects/{one}/data?labeling=1', 'one_object', 8)
            browser.show(f'/projects/{many}/data?labeling=1', 'many_objects', 8)
            browser.show(f'/projects/{many}/settings/ml', 'connection')
        server.process.terminate()
        server.process.wait(30)
        request = urllib.request.Request(
            f'{url}/setup',
            json.dumps(dict(project='1.0', schema=make_config(['a'], 'b'))).encode(),
            {'Content-Type': 'application/json', 'Authorization': 'Bearer sesame'},
        )
        try:
            urllib.request.urlopen(request, timeout=20)
            check(False, 'Label Studio is gone')
        except urllib.error.HTTPError as error:
            answer = json.loads(error.read())['error']
            check('not-to-be-reached' in answer, f'Label Studio is gone: {answer}')
        log = (args.out / 'backend.log').read_text()
        check('Traceback' not in log, 'no traceback in the log of the back end')
        print(f'done in {time.monotonic() - start:.0f} s')
    finally:
        for process in processes:
            process.terminate()


if __name__ == '__main__':
    main()
