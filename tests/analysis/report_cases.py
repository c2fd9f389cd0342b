"""Small evaluations for the tests of the report, and a reader of its pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

import numpy as np
import pair_tables

from cape_mm.evaluation import EpisodePCK
from cape_mm.evaluation.results import ResultTable

EVIL = '<script>alert("x")</script> & | `a` *b* \x00\ud800'
VOID = {'meta', 'img', 'br', 'hr', 'link'}
RUN = {'config': 'configs/some.py', 'checkpoint': 'w/epoch_1.pth'}


def make_pair(
    episode: int,
    slot: int,
    category: int,
    distances: Sequence[float] | None,
    confidences: Sequence[float] | None = None,
    name: str | None = None,
    supercategory: str = 'thing',
) -> ResultTable:
    """A pair by the distances of its keypoints, all scored; None is dropped."""
    seen = None if distances is None else np.arange(len(distances)) % 2 + 1
    key = episode, slot, category, distances, seen, supercategory, confidences
    pair = pair_tables.make_pair(*key, floor=0.4)
    if distances is not None:
        pair.floors['copy_support'].values[:, :5] = 0.5 * pair.values[:, :5]
    pair.category_names[category] = f'cat{category}' if name is None else name
    return pair


def random_pairs(
    num_categories: int = 3,
    num_keypoints: int = 4,
    num_episodes: int = 4,
    has_confidence: bool = True,
    names: Sequence[str] = (),
) -> list[ResultTable]:
    """Three pairs of every episode; a surer keypoint is better."""
    rng = np.random.default_rng(0)
    pairs = []
    for category in range(num_categories):
        for episode in range(num_episodes):
            for slot in range(3):
                off = rng.exponential(0.15, num_keypoints)
                sure = np.exp(-2 * off).astype(np.float32) if has_confidence else None
                name = names[category] if names else None
                key = num_episodes * category + episode, slot, category
                pairs.append(make_pair(*key, off, sure, name))
    return pairs


def evaluate(pairs: Sequence[ResultTable]) -> tuple[dict, ResultTable]:
    """Metrics with their ``run``, and the table."""
    metric = EpisodePCK(num_resamples=20)
    metrics = metric.compute_metrics(list(pairs))
    return dict(metrics, run=RUN), metric.pairs


class Page(HTMLParser):
    """Reads a page: its text, its tags, and whether every tag is closed in order.

    Attributes:
        text: all that is between tags, outside of the style sheet.
        tags: (tag, attributes) in order.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self._open: list[str] = []
        self._parts: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f'never closed: {self._open}'
        self.text = re.sub(r'\s+', ' ', ''.join(self._parts))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        """A tag is opened."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag is closed: the last that was opened."""
        assert self._open and self._open.pop() == tag, f'{tag} at {self.getpos()}'

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._open[-1:] != ['style']:
            self._parts.append(data)

    def count(self, tag: str) -> int:
        """How often a tag occurs."""
        return sum(name == tag for name, _ in self.tags)
