"""How far a mean over pairs, or the difference of two runs, could have come out else.

Pairs are not independent: the queries of an episode share their support, the episodes
of a category its difficulty. So whole episodes, or whole categories, are drawn again.

Convention:
    - a resample of *episodes* keeps every category and its weight and draws episodes
      of it with replacement: what another draw of episodes would give
    - a resample of *categories* draws whole categories with replacement: what other
      novel categories would give, the wider and more telling of the two
    - of n, n - 1 are drawn (McCarthy and Snowden, 1985; Rao and Wu, Resampling
      Inference with Complex Survey Data, 1988): n would make every variance smaller by
      (n - 1) / n, a quarter for the 4 episodes of a category, however many categories
    - all randomness comes from the seed; the result depends on it and on the set of
      pairs, not on their order nor on the number of threads
    - an interval is ``dict(low, high)``, None where nothing can be drawn again: every
      category has one episode, or there is one category
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .breakdowns import macro_key
from .results import PCK_COLUMN, PCK_KEYS, VALUE_KEYS, ResultTable

NUM_RESAMPLES = 1000
LEVEL = 0.95
MAX_DRAWN = 2_000_000
"""Values that are gathered at a time; bounds the memory to some 16 MB."""
RESAMPLED_KEYS = (*VALUE_KEYS, 'mPCK5')
"""Values of the pairs whose means get an interval."""


class EpisodeSums(NamedTuple):
    """Sums of the pairs of every episode, episodes of a category side by side.

    Attributes:
        sums: sum of each of V values over the pairs of an episode, float64 (E, V).
        counts: number of pairs of the episode, int64 (E,).
        category_ids: distinct categories, ascending, (C,).
        starts: first episode of every category, and E at the end, int64 (C + 1,).
    """

    sums: np.ndarray
    counts: np.ndarray
    category_ids: np.ndarray
    starts: np.ndarray

    @property
    def of_categories(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums (C, V) and number of pairs (C,) of every category."""
        first = self.starts[:-1]
        return np.add.reduceat(self.sums, first), np.add.reduceat(self.counts, first)

    @property
    def has_several(self) -> np.ndarray:
        """Categories with more than one episode, bool (C,)."""
        return np.diff(self.starts) > 1


class Resamples(NamedTuple):
    """Means of resampled evaluations.

    Attributes:
        means: over the pairs of each resample, as the official figure, (R, V).
        macro_means: over the categories' means of each resample, (R, V).
        category_means: of every category; None where whole categories are drawn,
            (R, C, V).
    """

    means: np.ndarray
    macro_means: np.ndarray
    category_means: np.ndarray | None = None


def sum_episodes(
    values: np.ndarray, episode: np.ndarray, category: np.ndarray
) -> EpisodeSums:
    """Reduce pairs to episodes, which is all that a bootstrap needs.

    Args:
        values: V values of every pair, none of them NaN, (N, V) with N > 0.
        episode: episode of every pair, int (N,).
        category: category of every pair, the same within an episode, int (N,).
    """
    order = np.lexsort((episode, category))
    episode, category = np.asarray(episode)[order], np.asarray(category)[order]
    is_next = (np.diff(episode) != 0) | (np.diff(category) != 0)
    first = np.flatnonzero(np.append(True, is_next))
    category_ids, starts = np.unique(category[first], return_index=True)
    return EpisodeSums(
        sums=np.add.reduceat(values[order], first, axis=0),
        counts=np.diff(np.append(first, len(values))),
        category_ids=category_ids,
        starts=np.append(starts, len(first)),
    )


def resample_episodes(
    episodes: EpisodeSums,
    rng: np.random.Generator,
    num_resamples: int = NUM_RESAMPLES,
) -> Resamples:
    """Draw the episodes of every category again, R times, within the category."""
    num_categories = len(episodes.category_ids)
    shape = (num_resamples, num_categories, episodes.sums.shape[1])
    sums, counts = np.empty(shape), np.empty(shape[:2])
    for place in range(num_categories):
        rows = slice(*episodes.starts[place : place + 2])
        block = np.column_stack([episodes.sums[rows], episodes.counts[rows]])
        drawn = _draw_sums(block, rng, num_resamples)
        sums[:, place], counts[:, place] = drawn[:, :-1], drawn[:, -1]
    category_means = sums / counts[..., None]
    means = sums.sum(axis=1) / counts.sum(axis=1)[:, None]
    return Resamples(means, category_means.mean(axis=1), category_means)


def resample_categories(
    episodes: EpisodeSums,
    rng: np.random.Generator,
    num_resamples: int = NUM_RESAMPLES,
) -> Resamples:
    """Draw whole categories again, R times, all their pairs with them."""
    sums, counts = episodes.of_categories
    block = np.column_stack([sums, counts, sums / counts[:, None]])
    drawn = _draw_sums(block, rng, num_resamples)
    num_values = sums.shape[1]
    means = drawn[:, :num_values] / drawn[:, num_values, None]
    return Resamples(means, drawn[:, num_values + 1 :] / len(sums))


def _draw_sums(
    block: np.ndarray, rng: np.random.Generator, num_resamples: int
) -> np.ndarray:
    """Sums of n - 1 rows drawn with replacement from n, (R, V) from (n, V).

    They are scaled to n rows, so that a category keeps its weight. A single row stays.
    """
    num_rows = len(block)
    num_drawn = max(1, num_rows - 1)
    at_once = max(1, MAX_DRAWN // block.size)
    parts = []
    for start in range(0, num_resamples, at_once):
        size = (min(at_once, num_resamples - start), num_drawn)
        parts.append(block[rng.integers(num_rows, size=size)].sum(axis=1))
    return np.concatenate(parts) * (num_rows / num_drawn)


def interval(samples: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Percentile interval (Efron and Tibshirani, 1993, chapter 13).

    Args:
        samples: one figure, or several, per resample, (R,) or (R, V).
        level: share of the resamples inside, in (0, 1).

    Returns:
        Lower and upper end, (2,) or (2, V).
    """
    tail = (1 - level) / 2
    return np.quantile(samples, (tail, 1 - tail), axis=0)


def resampled_values(official_values: np.ndarray) -> np.ndarray:
    """Values of the pairs whose means get an interval: :data:`RESAMPLED_KEYS`.

    Args:
        official_values: without NaN, (N, V) in the order of ``VALUE_KEYS``.

    Returns:
        float64 (N, V + 1).
    """
    mpck = official_values[:, : len(PCK_KEYS)].mean(axis=1)
    return np.column_stack([official_values, mpck])


def confidence_intervals(
    table: ResultTable, num_resamples: int, seed: int
) -> tuple[dict[str, Any], dict[int, dict[str, float]]]:
    """Intervals of the official means, of the means over categories, and of each.

    Returns:
        ``level``, ``num_resamples``, ``seed``, ``over_episodes`` and
        ``over_categories``, each ``{key: interval}`` or None; and the interval of
        PCK@0.2 of every category with more than one episode, by id.
    """
    is_scored = table.is_scored
    pairs = table.episode_index[is_scored], table.category_id[is_scored]
    episodes = sum_episodes(resampled_values(table.official_values), *pairs)
    rng = np.random.default_rng(seed)
    found: dict[str, Any] = dict(level=LEVEL, num_resamples=num_resamples, seed=seed)
    found['over_episodes'] = found['over_categories'] = None
    own = {}
    has_several = episodes.has_several
    if has_several.any():
        drawn = resample_episodes(episodes, rng, num_resamples)
        found['over_episodes'] = _intervals(drawn)
        ends = interval(drawn.category_means[..., PCK_COLUMN]).T
        rows = zip(episodes.category_ids[has_several], ends[has_several])
        own = {int(category_id): _record(row) for category_id, row in rows}
    if len(episodes.category_ids) > 1:
        drawn = resample_categories(episodes, rng, num_resamples)
        found['over_categories'] = _intervals(drawn)
    return found, own


def _intervals(drawn: Resamples) -> dict[str, dict[str, float]]:
    plain, macro = interval(drawn.means).T, interval(drawn.macro_means).T
    rows = dict(zip(RESAMPLED_KEYS, map(_record, plain)))
    return rows | dict(zip(map(macro_key, RESAMPLED_KEYS), map(_record, macro)))


def _record(ends: np.ndarray) -> dict[str, float]:
    return dict(zip(('low', 'high'), ends.tolist()))


def compare_pairs(
    values_a: np.ndarray,
    values_b: np.ndarray,
    episode: np.ndarray,
    category: np.ndarray,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
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

    Returns:
        ``over_episodes`` and ``over_categories``, the mean over pairs with episodes or
        categories drawn again; ``macro``, the mean over categories with categories
        drawn again; ``per_category`` by id, with its own episodes drawn again. Each has
        ``A``, ``B``, ``difference`` (B - A), ``interval`` and two-sided ``p_value``,
        the last two None where nothing can be drawn again.
    """
    both = np.column_stack([values_a, values_b])
    episodes = sum_episodes(both, episode, category)
    rng = np.random.default_rng(seed)
    drawn = resample_episodes(episodes, rng, num_resamples)
    whole = resample_categories(episodes, rng, num_resamples)
    sums, counts = episodes.of_categories
    means, has_several = sums / counts[:, None], episodes.has_several
    can_draw = len(means) > 1
    return dict(
        over_episodes=_difference(both.mean(axis=0), drawn.means, has_several.any()),
        over_categories=_difference(both.mean(axis=0), whole.means, can_draw),
        macro=_difference(means.mean(axis=0), whole.macro_means, can_draw),
        per_category={
            category_id: _difference(
                means[place], drawn.category_means[:, place], has_several[place]
            )
            for place, category_id in enumerate(episodes.category_ids.tolist())
        },
    )


def _difference(
    means: np.ndarray, drawn: np.ndarray, can_draw: bool
) -> dict[str, float | dict[str, float] | None]:
    """Compare two means, (2,), by their resamples, (R, 2)."""
    a, b = means.tolist()
    ends = p_value = None
    if can_draw:
        differences = drawn[:, 1] - drawn[:, 0]
        ends = _record(interval(differences))
        p_value = two_sided_p_value(differences)
    return dict(A=a, B=b, difference=b - a, interval=ends, p_value=p_value)


def two_sided_p_value(differences: np.ndarray) -> float:
    """Probability of a difference at least as one-sided if there were none.

    Twice the share of the resampled differences on the rarer side of zero, zero itself
    on both sides, the observed one counted with them so that it never is 0 (Davison
    and Hinkley, Bootstrap Methods and their Application, 1997, section 4.4). It is
    the level at which :func:`interval` would just reach zero.

    Args:
        differences: resampled differences, (R,).

    Returns:
        Value in [2 / (R + 1), 1].
    """
    rarer = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, float(2 * (rarer + 1) / (len(differences) + 1)))
