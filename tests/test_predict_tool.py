"""tools/predict.py as a user calls it: bad input, summary, exit code, a kill."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from predict_cases import (
    write_checkpoint,
    write_pictures,
    write_support,
    write_video,
)
from pycocotools.coco import COCO
from tool_calls import REPO, Outcome, ToolCaller

from cape_mm.inference import model_loading

SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> Path:
    """Random weights with the config's text."""
    return write_checkpoint(tmp_path_factory.mktemp('weights') / 'epoch_1.pth')


@pytest.fixture
def predict(monkeypatch, capfd, checkpoint, tmp_path):
    """Calls the tool on tmp_path/queries."""
    call = ToolCaller(monkeypatch, capfd)
    support = write_support(tmp_path / 'support')
    (tmp_path / 'queries').mkdir()

    def run(*options: str | Path, support: Path = support) -> Outcome:
        given = ('--support', support, '--queries', tmp_path / 'queries')
        return call('predict', checkpoint, *given, '--out', tmp_path / 'out', *options)

    return run


def bad_folder(folder: Path) -> dict[str, str]:
    """Two good pictures among bad files; the reasons by name."""
    write_pictures(folder, ['good one.png', 'gut ü.jpg'])
    Image.new('L', (50, 40)).save(folder / 'grey.png')
    Image.new('CMYK', (50, 40)).save(folder / 'cmyk.jpg')
    Image.new('RGB', (1, 1)).save(folder / 'one pixel.png')
    jpeg = (folder / 'gut ü.jpg').read_bytes()
    (folder / 'cut.jpg').write_bytes(jpeg[: len(jpeg) // 2])
    (folder / 'drawing.jpg').write_text(SVG)
    (folder / 'empty.png').write_bytes(b'')
    (folder / 'clip.mp4').write_bytes(b'no video')
    os.symlink(folder / 'gone.png', folder / 'link.png')
    cut = write_video(folder / 'zcut.avi', 40)
    cut.write_bytes(cut.read_bytes()[: int(cut.stat().st_size * 0.6)])
    return {
        'one pixel.png': 'only 1 x 1 pixels',
        'cut.jpg': 'cut off',
        'drawing.jpg': 'text such as SVG',
        'empty.png': 'is empty',
        'clip.mp4': 'can not be decoded as a video',
        'link.png': 'no such file',
        'zcut.avi': 'cut off|can not be decoded',
    }


def test_bad_files_are_listed_and_the_others_predicted(predict, tmp_path):
    reasons = bad_folder(tmp_path / 'queries')
    outcome = predict('--device', 'cpu', '--formats', 'coco')
    assert outcome.code == 1
    assert f'skipped {len(reasons)} inputs:' in outcome.out
    assert 'Traceback' not in outcome.err
    listed = (tmp_path / 'out/skipped.csv').read_text()
    for name, reason in reasons.items():
        (line,) = [one for one in outcome.out.splitlines() if f'/{name}' in one]
        assert any(part in line for part in reason.split('|')), line
        assert f'/{name}' in listed
    content = json.loads((tmp_path / 'out/predictions.json').read_text())
    names = [i['file_name'] for i in content['images'] if 'video' not in i]
    assert names == ['cmyk.jpg', 'good one.png', 'grey.png', 'gut ü.jpg']
    again = predict('--device', 'cpu', '--formats', 'coco')
    assert (again.code, 'goes on' in again.out) == (1, True)


def test_a_run_says_what_it_does(predict, tmp_path):
    write_pictures(tmp_path / 'queries', ['a.png', 'b.png'])
    outcome = predict('--device', 'cpu')
    assert outcome.code == 0, outcome.err
    assert 'support: 1 of 1 labelled' in outcome.out
    assert 'predicted 2 instances on 2 pictures' in outcome.out
    assert 'predicting' in outcome.err and '2/2' in outcome.err


def test_no_checkpoint_is_needed(monkeypatch, capfd, checkpoint, tmp_path):
    call = ToolCaller(monkeypatch, capfd)
    support = write_support(tmp_path / 'support')
    write_pictures(tmp_path / 'queries', ['a.png'])
    given = ('--support', support, '--queries', tmp_path / 'queries')
    arguments = ('predict', *given, '--out', tmp_path / 'out', '--device', 'cpu')
    monkeypatch.setattr(model_loading, 'WEIGHTS_IN_THE_BOX', checkpoint)
    assert 'predicted 1 instances' in call(*arguments).out
    monkeypatch.setattr(model_loading, 'WEIGHTS_IN_THE_BOX', tmp_path / 'none.pth')
    assert 'none.pth. Fetch it' in call(*arguments, '--force').message


def test_it_adapts_to_the_support_on_request(predict, checkpoint, tmp_path):
    write_pictures(tmp_path / 'queries', ['a.png'])
    content = checkpoint.read_bytes()
    outcome = predict('--device', 'cpu', '--adapt', '2', '--no-overlay')
    assert outcome.code == 0, outcome.err
    assert 'adapted: 1 marked' in outcome.out  # nothing is sure, so nothing is learned
    assert 'adapting to the pictures' in outcome.err
    assert checkpoint.read_bytes() == content
    assert 'other adapt' in predict('--device', 'cpu', '--no-overlay').message
    assert 'adapt must be a whole number, at least 1' in predict('--adapt', '0').message


def test_messages(predict, tmp_path):
    assert 'holds no picture and no video' in predict().message
    assert 'no such file' in predict('--support', tmp_path / 'none.json').message
    assert 'no such file' in predict('--queries', tmp_path / 'none').message
    write_pictures(tmp_path / 'queries', ['a.png'])
    outcome = predict('--out', '/proc/nowhere')
    assert outcome.code == 2 and 'no file can be written there' in outcome.message
    assert predict('--skeleton', '0:1').code == 2


def test_a_killed_run_goes_on(predict, checkpoint, tmp_path):
    write_pictures(tmp_path / 'queries', [f'{n:02}.png' for n in range(20)])
    write_video(tmp_path / 'queries/clip.mp4', 10)
    options = ('--batch-size', '2', '--no-overlay', '--device', 'cpu')
    assert predict(*options).code == 0
    killed = tmp_path / 'killed'
    process = subprocess.Popen(
        [
            *(sys.executable, str(REPO / 'tools/predict.py'), str(checkpoint)),
            *('--support', str(tmp_path / 'support/annotations/support.json')),
            *('--queries', str(tmp_path / 'queries'), '--out', str(killed), *options),
        ],
        env={**os.environ, 'PYTHONPATH': str(REPO), 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = killed / 'results.jsonl'
    while not (log.exists() and log.read_bytes().count(b'"end"') > 3):
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    outcome = predict(*options, '--out', killed)
    assert outcome.code == 0 and 'goes on: ' in outcome.out
    assert 'predicted 30 instances' in outcome.out
    rows = [
        list(csv.reader(io.StringIO((out / 'predictions.csv').read_text())))
        for out in (tmp_path / 'out', killed)
    ]
    assert [row[:4] for row in rows[0]] == [row[:4] for row in rows[1]]
    # other pictures share a batch: the last digit may differ
    values = [np.array([row[4:6] for row in own[1:]], float) for own in rows]
    np.testing.assert_allclose(*values, atol=2e-3)


def test_real_pictures(predict, shared_data, tmp_path):
    """One annotated real picture, the others of its category, through the tool."""
    root = shared_data / 'realcape'
    labels = root / 'annotations/realcape_val.json'
    if not labels.is_file():
        pytest.skip(f'no {labels}')
    given = ('--category', 'fruit_fly', '--boxes', labels, '--no-overlay')
    queries = ('--queries', root / 'images/fruit_fly')
    outcome = predict(*given, *queries, '--formats', 'coco', support=labels)
    assert outcome.code == 0, outcome.err
    assert 'predicted 80 instances on 80 pictures' in outcome.out
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(labels))
        found = COCO(str(tmp_path / 'out/predictions.json'))
    sizes = {Path(i['file_name']).name: i['width'] for i in truth.imgs.values()}
    for image in found.imgs.values():
        assert image['width'] == sizes[image['file_name']]
