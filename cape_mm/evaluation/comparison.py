"""Is one run better than another on the same pairs, or only luckier?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .bootstrap import (
    LEVEL,
    NUM_RESAMPLES,
    interval,
    resample_categories,
    resample_episodes,
    sum_episodes,
)


@dataclass(frozen=True)
class Difference:
    """B minus A of one figure.

    Attributes:
        a: figure of the first run.
        b: figure of the second run.
        interval: percentile interval of b - a; None where nothing can be drawn again.
        p_value: two-sided; None likewise.
    """

    a: float
    b: float
    interval: tuple[float, float] | None = None
    p_value: float | None = None

    @property
    def difference(self) -> float:
        """B minus A."""
        return self.b - self.a

    def as_record(self) -> dict[str, Any]:
        """As JSON has it."""
        ends = self.interval and dict(zip(('low', 'high'), self.interval))
        figures = dict(A=self.a, B=self.b, difference=self.difference)
        return dict(figures, interval=ends, p_value=self.p_value)


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same pairs, by one value of every pair.

    Attributes:
        over_episodes: mean over pairs; episodes drawn again within their categories.
        over_categories: mean over pairs; whole categories drawn again.
        macro: mean over categories; whole categories drawn again.
        per_category: by category id; its own episodes drawn again.
        num_pairs: pairs compared.
    """

    over_episodes: Difference
    over_categories: Difference
    macro: Difference
    per_category: dict[int, Difference]
    num_pairs: int

    def count_categories(self, higher_is_better: bool = True) -> dict[str, int]:
        """Categories by which run is better: ``A``, ``B``, ``equal``."""
        counts = {'A': 0, 'B': 0, 'equal': 0}
        for row in self.per_category.values():
            gain = row.difference if higher_is_better else -row.difference
            counts['B' if gain > 0 else 'A' if gain < 0 else 'equal'] += 1
        return counts


def compare_pairs(
    values_a: np.ndarray,
    values_b: np.ndarray,
    episode: np.ndarray,
    category: np.ndarray,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Paired bootstrap of the difference of two runs.

    Every resample takes the same episodes, or categories, of both runs, so what makes
    an episode hard for both cancels out.

    Args:
        values_a: one value of every pair of the first run, not NaN, (N,).
        values_b: the same of the second run, in the same order.
        episode: episode of every pair, int (N,).
        category: category of every pair, int (N,).
        num_resamples: of each bootstrap, > 0.
        seed: of the bootstrap's own generator.

    Raises:
        ValueError: there is no pair, lengths disagree, or a value is NaN.
    """
    both = np.column_stack([values_a, values_b])
    episodes = sum_episodes(both, episode, category)
    rng = np.random.default_rng(seed)
    drawn = resample_episodes(episodes, rng, num_resamples)
    whole = resample_categories(episodes, rng, num_resamples)
    means = episodes.category_sums / episodes.category_counts[:, None]
    has_several = np.diff(episodes.starts) > 1  # episodes
    can_draw = len(means) > 1
    return Comparison(
        over_episodes=_difference(both.mean(axis=0), drawn.means, has_several.any()),
        over_categories=_difference(both.mean(axis=0), whole.means, can_draw),
        macro=_difference(means.mean(axis=0), whole.macro_means, can_draw),
        per_category={
            category_id: _difference(
                means[place], drawn.category_means[:, place], has_several[place]
            )
            for place, category_id in enumerate(episodes.category_ids.tolist())
        },
        num_pairs=len(both),
    )


def _difference(means: np.ndarray, drawn: np.ndarray, can_draw: bool) -> Difference:
    """Compare two means, (2,), by their resamples, (R, 2)."""
    a, b = means.tolist()
    if not can_draw:
        return Difference(a, b)
    differences = drawn[:, 1] - drawn[:, 0]
    ends = tuple(interval(differences, LEVEL).tolist())
    return Difference(a, b, ends, float(two_sided_p_value(differences)))


def two_sided_p_value(differences: np.ndarray) -> np.ndarray:
    """Probability of a difference at least as one-sided if there were none.

    Twice the share of the resampled differences on the rarer side of zero, zero itself
    on both sides, the observed one counted with them so that it never is 0 (Davison
    and Hinkley, Bootstrap Methods and their Application, 1997, section 4.4). It is
    the level at which :func:`interval` would just reach zero.

    Args:
        differences: resampled differences, (R,) or (R, V).

    Returns:
        Value in [2 / (R + 1), 1], () or (V,).
    """
    num_resamples = len(differences)
    rarer = np.minimum((differences <= 0).sum(axis=0), (differences >= 0).sum(axis=0))
    return np.minimum(1.0, 2 * (rarer + 1) / (num_resamples + 1))
