"""Nothing is asked of anybody but the server that was named."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from fake_studio import KEY, Studio
from predict_cases import make_picture, write_pictures

from cape_mm.annotators import label_studio_client as module
from cape_mm.annotators.label_studio_client import LabelStudioClient
from cape_mm.errors import ConfigError, InstanceLoadError, MissingDataError


def test_picture_comes_with_an_exchanged_token(studio, client):
    address = studio.add_picture('a b#1.png', 3)
    for given in (address.replace(' ', '%20').replace('#', '%23'),) * 2:
        assert np.array_equal(client.picture(given), make_picture(3))
        assert np.array_equal(client.picture(studio.url + given), make_picture(3))


@pytest.mark.parametrize(
    'address',
    [
        'http://169.254.169.254/latest/meta-data',
        '//evil.example/data/upload/1/a.png',
        'http://127.0.0.1:1/data/upload/1/a.png',
        'http://127.0.0.1:{port}@evil.example/data/upload/1/a.png',
        'http://127.0.0.1:{port}.evil.example/data/upload/1/a.png',
        'https://127.0.0.1:{port}/data/upload/1/a.png',
        'file:///etc/passwd',
        'ftp://127.0.0.1/data/upload/a.png',
        's3://bucket/a.png',
        'data:image/png;base64,AAAA',
        '/etc/passwd',
        '/api/projects/',
        '/data/upload/../../api/projects/',
        '/data/upload/%2e%2e/%2e%2e/api/projects/',
        '/data/upload/1/..%2f..%2f..%2fapi/projects/',
        '/data/upload/a%00.png',
        '/data/uploads.png',
        '/data/local-files/../../api',
        '/logout?x=/data/upload/',
        'http://[bad/data/upload/a.png',
        '',
        None,
        7,
        ['/data/upload/1/a.png'],
        dict(url='/data/upload/1/a.png'),
    ],
)
def test_address_elsewhere_is_never_asked_for(studio, client, address):
    if isinstance(address, str):
        address = address.replace('{port}', str(studio.server_port))
    with pytest.raises(ConfigError, match='is not fetched: only files that'):
        client.picture(address)
    assert studio.asked == []


def test_redirect_is_not_followed(studio, client):
    with Studio() as other:
        studio.redirects['/data/upload/1/a.png'] = f'{other.url}/data/upload/1/a.png'
        other.timeout = 0.2
        with pytest.raises(MissingDataError, match='answers 302'):
            client.picture('/data/upload/1/a.png')
        other.handle_request()
        assert other.asked == []


def test_local_files_over_http_and_from_a_folder(studio, tmp_path):
    write_pictures(tmp_path / 'root', ['in/a b.png'])
    (tmp_path / 'secret.png').write_bytes(b'secret')
    (tmp_path / 'root' / 'link.png').symlink_to(tmp_path / 'secret.png')
    content = (tmp_path / 'root/in/a b.png').read_bytes()
    studio.files['in/a b.png'] = content
    address = '/data/local-files/?d=in/a%20b.png'
    over_http = LabelStudioClient(studio.url, KEY).picture(address)
    asked = len(studio.asked)
    from_disk = LabelStudioClient(studio.url, KEY, tmp_path / 'root')
    assert np.array_equal(over_http, make_picture(0))
    assert np.array_equal(from_disk.picture(address), make_picture(0))
    for name in (
        '../secret.png',
        'in/../../secret.png',
        'link.png',
        '%2e%2e/secret.png',
    ):
        with pytest.raises(ConfigError, match='outside the folder'):
            from_disk.picture(f'/data/local-files/?d={name}')
    for name in (f'{tmp_path}/secret.png', '', 'in', 'in/a%00.png'):
        with pytest.raises(InstanceLoadError):
            from_disk.picture(f'/data/local-files/?d={name}')
    assert len(studio.asked) == asked


def test_tasks_are_asked_for_the_latest_first(studio, client):
    studio.tasks = [dict(id=3)]
    assert client.annotated_tasks(5, 'good one') == [dict(id=3)]
    query = parse_qs(urlsplit(studio.asked[-1]).query)
    assert query['project'] == ['5']
    told = json.loads(query['query'][0])
    assert told['ordering'] == ['-tasks:updated_at']
    assert [i['filter'].rsplit(':')[-1] for i in told['filters']['items']] == [
        'total_annotations',
        'annotations_results',
    ]


def test_server_that_fails_is_named(studio, client, monkeypatch):
    monkeypatch.setattr(module, 'TIMEOUT', 0.2)
    studio.tasks = 'no list'
    with pytest.raises(MissingDataError, match='no list of tasks'):
        client.annotated_tasks(1)
    with pytest.raises(InstanceLoadError, match='answers 404'):
        client.picture('/data/upload/1/gone.png')
    studio.files['/data/upload/1/a.png'] = b'<html>'
    with pytest.raises(InstanceLoadError, match='text such as'):
        client.picture('/data/upload/1/a.png')
    monkeypatch.setattr(module, 'MAX_BYTES', 3)
    with pytest.raises(InstanceLoadError, match='more than 3 bytes'):
        client.picture('/data/upload/1/a.png')
    studio.hangs = True
    with pytest.raises(MissingDataError, match='not to be reached.*timed out'):
        client.annotated_tasks(1)
    with pytest.raises(MissingDataError, match='401.*LABEL_STUDIO_API_KEY'):
        LabelStudioClient(studio.url, 'a.wrong.key').annotated_tasks(1)
    with pytest.raises(MissingDataError, match='not to be reached'):
        LabelStudioClient('http://127.0.0.1:1', KEY).annotated_tasks(1)


@pytest.mark.parametrize(
    'url', ['', 'localhost:8080', 'file:///x', 'http://a b', 'http://']
)
def test_address_of_the_server_is_checked(url):
    with pytest.raises(ConfigError, match='expected an address'):
        LabelStudioClient(url, KEY)


@pytest.mark.parametrize('key', ['', 'a b', 'a\nHost: x', 'ä'])
def test_token_is_checked(key):
    with pytest.raises(ConfigError, match='LABEL_STUDIO_API_KEY'):
        LabelStudioClient('http://127.0.0.1:1', key)
