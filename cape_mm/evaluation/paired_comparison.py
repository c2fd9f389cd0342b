"""Is one run better than another on the same pairs, or only luckier?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bootstrap import (
    LEVEL,
    NUM_RESAMPLES,
    EpisodeSums,
    interval,
    resample_categories,
    resample_episodes,
    sum_episodes,
    two_sided_p_value,
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


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same pairs, by one value of every pair.

    Attributes:
        over_episodes: mean over pairs; episodes drawn again within their categories.
        over_categories: mean over pairs; whole categories drawn again.
        macro: mean over categories; whole categories drawn again.
        per_category: by category id; its own episodes drawn again.
        num_pairs: pairs compared.
        num_resamples: of each bootstrap.
    """

    over_episodes: Difference
    over_categories: Difference
    macro: Difference
    per_category: dict[int, Difference]
    num_pairs: int
    num_resamples: int

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
    category_means = episodes.category_sums / episodes.category_counts[:, None]
    mean = both.mean(axis=0)
    num_categories = len(category_means)
    several_episodes = np.diff(episodes.starts) > 1
    return Comparison(
        over_episodes=_difference(mean, drawn.means, several_episodes.any()),
        over_categories=_difference(mean, whole.means, num_categories > 1),
        macro=_difference(
            category_means.mean(axis=0), whole.macro_means, num_categories > 1
        ),
        per_category=_by_category(
            episodes, category_means, drawn.category_means, several_episodes
        ),
        num_pairs=len(both),
        num_resamples=num_resamples,
    )


def _by_category(
    episodes: EpisodeSums,
    means: np.ndarray,
    drawn: np.ndarray,
    several_episodes: np.ndarray,
) -> dict[int, Difference]:
    return {
        category_id: _difference(means[place], drawn[:, place], several_episodes[place])
        for place, category_id in enumerate(episodes.category_ids.tolist())
    }


def _difference(means: np.ndarray, drawn: np.ndarray, can_draw: bool) -> Difference:
    """Compare two means, (2,), by their resamples, (R, 2)."""
    a, b = means.tolist()
    if not can_draw:
        return Difference(a, b)
    differences = drawn[:, 1] - drawn[:, 0]
    ends = tuple(interval(differences, LEVEL).tolist())
    return Difference(a, b, ends, float(two_sided_p_value(differences)))
