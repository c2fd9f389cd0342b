"""One reader of JSON for all: every way to fail has one message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cape_mm.data_tools.checking.files import read_leniently
from cape_mm.datasets.annotation_file import read_annotation_file
from cape_mm.errors import AnnotationFormatError, ConfigError, MissingDataError
from cape_mm.utils.json_file import read_json

DEEP = b'[' * 100_000
LONG = b'[' + b'9' * 10_000 + b']'
DAMAGED = {
    'empty': (b'', 'Expecting value'),
    'truncated': (b'{"images": [', 'Expecting value'),
    'picture': (b'\xff\xd8\xff\xe0JFIF', "'utf-8' codec can't decode"),
    'utf-16': ('{"a": 1}'.encode('utf-16'), "'utf-8' codec can't decode"),
    'deep': (DEEP, 'its lists or objects are nested too deeply'),
    'long number': (LONG, 'a number in it is too long .Exceeds the limit'),
}
HAS_LIMIT = hasattr(sys, 'get_int_max_str_digits')


def write(folder: Path, data: bytes) -> Path:
    path = folder / 'a.json'
    path.write_bytes(data)
    return path


def test_any_content_comes_back(tmp_path):
    assert read_json(write(tmp_path, '{"ä": [1, null]}'.encode())) == {'ä': [1, None]}
    assert read_json(write(tmp_path, b'3')) == 3
    assert read_json(write(tmp_path, b'\xef\xbb\xbf{}')) == {}
    assert read_json(write(tmp_path, b'{}'), 'a file') == {}


@pytest.mark.parametrize('case', DAMAGED)
def test_every_damage_has_its_reason(tmp_path, case):
    if case == 'long number' and not HAS_LIMIT:
        pytest.skip('this Python reads integers of any length')
    data, reason = DAMAGED[case]
    path = write(tmp_path, data)
    with pytest.raises(AnnotationFormatError, match=f'a.json is not a JSON.*{reason}'):
        read_json(path)
    # the readers of annotation files say the same, and one of them raises nothing
    with pytest.raises(AnnotationFormatError) as info:
        read_annotation_file(path)
    assert read_leniently(path).findings[0].items == (str(info.value),)
    assert 'sys.' not in str(info.value)


@pytest.mark.parametrize(
    'data, kind', [(b'[1]', 'list'), (b'"a"', 'str'), (b'null', 'NoneType')]
)
def test_another_kind(tmp_path, data, kind):
    message = f'a.json is not a wish: it holds a {kind} instead .*. Make one.$'
    with pytest.raises(ConfigError, match=message):
        read_json(write(tmp_path, data), 'a wish', 'Make one.', ConfigError)


def test_remedy_ends_the_message(tmp_path):
    path = write(tmp_path, b'{')
    with pytest.raises(ConfigError, match=r'is not a JSON file: .*\. Do it\.$'):
        read_json(path, remedy='Do it.', error_type=ConfigError)


def test_what_the_system_refuses(tmp_path):
    with pytest.raises(MissingDataError, match='can not be read: Is a directory'):
        read_json(tmp_path)
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_json(tmp_path / 'no.json')
