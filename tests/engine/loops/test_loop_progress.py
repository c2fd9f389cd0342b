"""The line that says how far a test is."""

from __future__ import annotations

import logging
import time

from cape_mm.engine.loops.progress import Progress


def test_lines(monkeypatch, caplog):
    now = 100.0
    monkeypatch.setattr(time, 'perf_counter', lambda: now)
    logger = logging.getLogger('progress')
    with caplog.at_level(logging.INFO):
        progress = Progress(logger, 'test', 5000, 4, interval=10)
        now = 105.0
        progress.step(3, 500)
        assert not caplog.messages
        progress.step(4, 1000, is_stored=True)
        now = 110.0
        progress.step(4, 1000)
        now = 115.0
        progress.step(5, 500)
        now = 130.0
        progress.step(6, 2000)  # the last one: the end is said once
        progress.finish('well')
    assert caplog.messages == [
        'test: 2,500 of 5,000 pairs, category 2 of 4, 150 pairs/s, eta 0:00:17',
        'test: 5,000 pairs in 30.0 s (133 pairs/s): well',
    ]


def test_no_speed_from_what_was_read_back(caplog):
    with caplog.at_level(logging.INFO):
        progress = Progress(logging.getLogger('progress'), 'test', 9, 2, interval=0)
        progress.step(1, 5, is_stored=True)
    assert caplog.messages[0].endswith('eta unknown')
