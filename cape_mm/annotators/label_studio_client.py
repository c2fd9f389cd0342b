"""What is asked of a Label Studio server, and nothing of any other.

Pictures are fetched from the server's own addresses of uploaded and of local files
only, whatever a task says: no other host, no redirect, no file of this machine but
below a folder that was named for it.
"""

from __future__ import annotations

import http.client
import json
import os
import posixpath
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urljoin, urlsplit

import numpy as np

from ..errors import ConfigError, ImageDecodeError, ImageNotFoundError, MissingDataError
from ..inference.pictures import decode_picture, read_picture

UPLOADS, LOCAL_FILES = '/data/upload/', '/data/local-files/'
TIMEOUT = 10
"""Seconds without a byte."""
MAX_BYTES = 100 * 2**20
MAX_PIXELS = 60_000_000
TOKEN_LIFE = 60
"""Seconds after which a personal token is exchanged again; it holds for 5 minutes."""
JSON = {'Content-Type': 'application/json'}
NUM_TASKS = 20
"""So many of the latest annotated tasks are looked at for supports."""


class LabelStudioClient:
    """Reads annotated tasks and pictures.

    Args:
        url: of the server, e.g. ``http://127.0.0.1:8080``.
        key: access token of a user: a personal one, or one of the older kind.
        local_files: the server's LOCAL_FILES_DOCUMENT_ROOT, where it is a folder of
            this machine: its files are then read from the disk.

    Raises:
        ConfigError: the address is none, or there is no key or no such folder.
    """

    def __init__(
        self, url: str, key: str, local_files: str | Path | None = None
    ) -> None:
        if re.fullmatch(r'https?://[^/?#@\s]+(/[^?#\s]*)?', url) is None:
            raise ConfigError(
                f'{url!r}: expected an address like http://127.0.0.1:8080'
            )
        if re.fullmatch(r'[\x21-\x7e]+', key) is None:
            raise ConfigError(
                'a token of Label Studio is needed (Account & Settings, Personal '
                'Access Token): set it as LABEL_STUDIO_API_KEY'
            )
        if local_files is not None and not Path(local_files).is_dir():
            raise ConfigError(f'local files: no such folder: {local_files}')
        self.url = url.rstrip('/')
        self._key, self._root = key, local_files
        # a personal token is exchanged for one that holds for minutes
        self._is_exchanged, self._until = key.count('.') == 2, 0.0
        self._headers = {'Authorization': f'Token {key}'}
        handlers = urllib.request.ProxyHandler({}), _NoRedirect()
        self._opener = urllib.request.build_opener(*handlers)

    def annotated_tasks(self, project: int, tag: str | None = None) -> list[dict]:
        """The annotated tasks of a project, the latest first.

        Args:
            project: its id.
            tag: only those with this text in an annotation.

        Raises:
            MissingDataError: the server is not there or answers with an error.
        """
        items = [('total_annotations', 'greater', 0, 'Number')]
        if tag is not None:
            items.append(('annotations_results', 'contains', tag, 'String'))
        keys = 'filter', 'operator', 'value', 'type'
        items = [dict(zip(keys, (f'filter:tasks:{i[0]}', *i[1:]))) for i in items]
        query = dict(filters=dict(conjunction='and', items=items))
        query['ordering'] = ['-tasks:updated_at']
        options = dict(project=project, fields='all', page_size=NUM_TASKS)
        answer = self._get('/api/tasks/', options | dict(query=json.dumps(query)))
        try:
            return [dict(task) for task in json.loads(answer)['tasks']]
        except (ValueError, LookupError, TypeError) as error:
            raise MissingDataError(f'{self.url} gave no list of tasks') from error

    def picture(self, address: object) -> np.ndarray:
        """Fetch a task's picture, BGR uint8 (H, W, 3), turned as EXIF asks for.

        Raises:
            ConfigError: the server does not vouch for the address.
            InstanceLoadError: there is no such picture, or it can't be read.
            MissingDataError: the server is not there or answers with an error.
        """
        path, query = self._own_path(address)
        options = {}
        if path == LOCAL_FILES:
            options['d'] = name = parse_qs(query).get('d', [''])[0]
            if self._root is not None:
                return read_picture(self._own_file(name), MAX_PIXELS).image
        return decode_picture(self._get(path, options), MAX_PIXELS).image

    def _own_path(self, address: object) -> tuple[str, str]:
        """Decoded path on the server, and query, of an address it vouches for."""
        base, path, query = urlsplit(self.url), '', ''
        try:
            parts = urlsplit(urljoin(f'{self.url}/', str(address)))
            if (parts.scheme, parts.netloc) == (base.scheme, base.netloc):
                path, query = unquote(parts.path).removeprefix(base.path), parts.query
        except ValueError:
            pass
        is_plain = posixpath.normpath(path) == path and path.isprintable()
        if not (is_plain and path.startswith(UPLOADS)) and path != LOCAL_FILES:
            raise ConfigError(
                f'picture {str(address)[:200]!r} is not fetched: only files that '
                f'{self.url} has itself ({UPLOADS}..., {LOCAL_FILES}?d=...). Upload it '
                f'there, or add its folder as local storage.'
            )
        return path, query

    def _own_file(self, name: str) -> str:
        root = os.path.realpath(self._root)
        path = os.path.join(root, name.replace('\0', '').lstrip('/'))
        file = os.path.realpath(path)
        if os.path.commonpath([root, file]) != root:
            raise ConfigError(f'picture {name!r} is outside the folder of local files')
        if os.path.isfile(file) and os.path.getsize(file) > MAX_BYTES:
            raise ImageDecodeError(f'{name!r} has more than {MAX_BYTES:,} bytes')
        return file

    def _get(self, path: str, options: dict) -> bytes:
        if self._is_exchanged and time.monotonic() > self._until:
            body = json.dumps(dict(refresh=self._key)).encode()
            answer = self._answer(f'{self.url}/api/token/refresh', body)
            try:
                access = json.loads(answer)['access']
            except (ValueError, LookupError, TypeError) as error:
                raise MissingDataError(f'{self.url} is no Label Studio') from error
            self._headers = {'Authorization': f'Bearer {access}'}
            self._until = time.monotonic() + TOKEN_LIFE
        address = f'{self.url}{quote(path)}?{urlencode(options)}'
        return self._answer(address.rstrip('?'), None, self._headers)

    def _answer(
        self, address: str, body: bytes | None, headers: Mapping[str, str] = JSON
    ) -> bytes:
        request = urllib.request.Request(address, body, dict(headers))
        path = urlsplit(address).path
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                content = response.read(MAX_BYTES + 1)
        except urllib.error.HTTPError as error:
            text = f'Label Studio answers {error.code} {error.reason} to {path}'
            if error.code == 404:
                raise ImageNotFoundError(text) from error
            hint = ': is LABEL_STUDIO_API_KEY right?' if error.code == 401 else ''
            raise MissingDataError(text + hint) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, 'reason', error)
            raise MissingDataError(
                f'Label Studio is not to be reached at {self.url}: {reason}'
            ) from error
        if len(content) > MAX_BYTES:
            raise ImageDecodeError(f'{path} has more than {MAX_BYTES:,} bytes')
        return content


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: it could lead anywhere, with the token."""

    def redirect_request(self, *_: object) -> None:
        return None
