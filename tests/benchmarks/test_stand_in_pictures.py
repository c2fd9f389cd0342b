"""Stand-ins have the names and sizes of what they stand for."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
from tool_calls import REPO

IMAGES = [
    dict(id=7, file_name='cat/a.jpg', width=61, height=40),
    dict(id=8, file_name='cat/b.jpg', width=33, height=90),
    dict(id=9, file_name='never_annotated.jpg', width=20, height=20),
]


def test_sizes_and_names(tmp_path):
    source = tmp_path / 'part.json'
    annotations = [dict(id=1, image_id=7), dict(id=2, image_id=8)]
    source.write_text(json.dumps(dict(images=IMAGES, annotations=annotations)))
    script = REPO / 'benchmarks/stand_in_pictures.py'
    command = [sys.executable, script, source, tmp_path / 'out']
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.startswith('2 pictures')
    for image in IMAGES[:2]:
        picture = cv2.imread(str(tmp_path / 'out/images' / image['file_name']))
        assert picture.shape == (image['height'], image['width'], 3)
        assert picture.std() > 10  # something to decode
    assert len(list((tmp_path / 'out/images').rglob('*.jpg'))) == 2
    copied = tmp_path / 'out/annotations/part.json'
    assert copied.read_text() == source.read_text()
