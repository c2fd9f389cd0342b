"""The fingerprint of a draw: its ids and their order, nothing else."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cape_mm.datasets.frozen_episodes import episodes_sha256
from cape_mm.structures import Episode

FIRST = Episode(4, (10, 11), (20, 21), seed=0, index=0)
SECOND = Episode(2, (30, 31), (40,), seed=1, index=1)


def test_hash_of_the_documented_text():
    text = '[[4,[10,11],[20,21]],[2,[30,31],[40]]]'
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert episodes_sha256([FIRST, SECOND]) == expected
    assert episodes_sha256([]) == hashlib.sha256(b'[]').hexdigest()


@pytest.mark.parametrize(
    'episodes',
    [
        [SECOND, FIRST],
        [FIRST],
        [replace(FIRST, category_id=5), SECOND],
        [replace(FIRST, support_ids=(11, 10)), SECOND],
        [replace(FIRST, query_ids=(21, 20)), SECOND],
        [replace(FIRST, support_ids=(10,), query_ids=(11, 20, 21)), SECOND],
        [replace(FIRST, query_ids=(20, 22)), SECOND],
    ],
)
def test_every_id_and_its_place_count(episodes):
    assert episodes_sha256(episodes) != episodes_sha256([FIRST, SECOND])


def test_seed_index_and_integer_type_do_not_count():
    ids = np.array([10, 11, 20, 21])
    same = Episode(np.int64(4), tuple(ids[:2]), tuple(ids[2:]), seed=9, index=7)
    assert episodes_sha256([same, SECOND]) == episodes_sha256([FIRST, SECOND])


def test_another_process_finds_the_same():
    program = (
        'from cape_mm.datasets.frozen_episodes import episodes_sha256\n'
        'from cape_mm.structures import Episode\n'
        'print(episodes_sha256([Episode(4, (10, 11), (20, 21))]))'
    )
    run = subprocess.run(
        [sys.executable, '-c', program],
        env={**os.environ, 'PYTHONHASHSEED': '7'},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split()[-1] == episodes_sha256([FIRST])
