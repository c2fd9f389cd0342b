"""A report's pictures: curves as SVG; the best, the median and the worst episodes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context
from mmengine.structures import InstanceData

from ..datasets import MP100EpisodeDataset
from ..errors import CapeError
from ..evaluation.calibration import (
    NUM_ECE_BINS,
    confidence_bins,
    risk_coverage,
)
from ..evaluation.results import CORRECT_THRESHOLD, PCK_COLUMN, VALUE_KEYS, ResultTable
from ..structures import Episode
from ..structures.geometry import apply_affine, invert_affine
from ..visualization import draw_episode

METHOD, COPY, MATCHING = '#1f6fb2', '#c23b22', '#8a5fb0'
GREY, BARS = '#99a', '#d5dbe1'
SIZE = (5.2, 3.4)  # inches
MAX_POINTS = 400
LOOKS = {
    'svg.hashsalt': 'cape_mm',
    'svg.fonttype': 'path',
    'font.size': 9.5,
    'axes.grid': True,
    'axes.axisbelow': True,
    'grid.color': '#dde1e6',
    'axes.edgecolor': GREY,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'legend.frameon': False,
}


def pck_curve(curve: Mapping[str, Sequence[float]]) -> bytes:
    """PCK over the threshold, with the floors.

    Args:
        curve: ``thresholds``, ``PCK``, ``copy_support/PCK`` and, of a model with a
            matcher, ``matching/PCK`` as fractions.
    """
    with context(['default', LOOKS]):
        figure, axes = _canvas('threshold, as a share of max(w, h)', 'PCK [%]')
        thresholds = curve['thresholds']
        for key, name, color, dash in (
            ('PCK', 'method', METHOD, '-'),
            ('copy_support/PCK', 'copy support', COPY, '--'),
            ('matching/PCK', 'matching', MATCHING, '-.'),
        ):
            if key in curve:
                heights = 100 * np.asarray(curve[key], float)
                axes.plot(thresholds, heights, dash, color=color, label=name)
        axes.axvline(CORRECT_THRESHOLD, color=GREY, linewidth=0.8, linestyle=':')
        axes.set(xlim=(0, thresholds[-1]), ylim=(0, 102))
        return _to_svg(figure, axes, 'lower right')


def reliability_diagram(confidence: np.ndarray, is_correct: np.ndarray) -> bytes:
    """How often keypoints of some confidence are right, and how many there are."""
    count, sure, right = confidence_bins(confidence, is_correct)
    with context(['default', LOOKS]):
        figure, axes = _canvas('confidence', '[%]')
        middle = (np.arange(NUM_ECE_BINS) + 0.5) / NUM_ECE_BINS
        share = 100 * count / count.sum()
        axes.bar(middle, share, 0.92 / NUM_ECE_BINS, color=BARS, label='keypoints')
        axes.plot([0, 1], [0, 100], '--', color=GREY, linewidth=1, label='ideal')
        used = count > 0
        label = f'right within {CORRECT_THRESHOLD:g}'
        line = sure[used] / count[used], 100 * right[used] / count[used]
        axes.plot(*line, 'o-', color=METHOD, markersize=4, label=label)
        axes.set(xlim=(0, 1), ylim=(0, 102))
        return _to_svg(figure, axes, 'upper left')


def risk_curve(confidence: np.ndarray, is_correct: np.ndarray) -> bytes:
    """How often the most confident keypoints are wrong."""
    coverage, risk = risk_coverage(confidence, ~is_correct)
    chosen = np.linspace(0, len(coverage) - 1, MAX_POINTS).round().astype(int)
    chosen, total = np.unique(chosen), 100 * risk[-1]
    with context(['default', LOOKS]):
        labels = 'keypoints kept, most confident first [%]', 'of them wrong [%]'
        figure, axes = _canvas(*labels)
        line = 100 * coverage[chosen], 100 * risk[chosen]
        axes.plot(*line, color=METHOD, label='method')
        label = 'no use of the confidence'
        axes.axhline(total, color=GREY, linestyle='--', linewidth=1, label=label)
        top = max(float(line[1].max()), total, 1.0)
        axes.set(xlim=(0, 100), ylim=(0, min(1.3 * top, 102)))
        return _to_svg(figure, axes, 'upper left')


def _canvas(x: str, y: str) -> tuple[Figure, Axes]:
    """A canvas of its own: no window, no backend, no state of pyplot."""
    figure = Figure(figsize=SIZE)
    figure.subplots_adjust(left=0.11, right=0.96, bottom=0.14, top=0.97)
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _to_svg(figure: Figure, axes: Axes, legend: str) -> bytes:
    axes.legend(loc=legend)
    file = io.BytesIO()
    figure.savefig(file, format='svg', metadata=dict(Date=None, Creator=None))
    return file.getvalue()


NME_COLUMN = VALUE_KEYS.index('NME')
JPEG_QUALITY = 85


@dataclass(frozen=True)
class ChosenPair:
    """A pair that stands for its episode.

    Attributes:
        rank: of the episode in its category, and of the pair in its episode: 'best',
            'median', 'worst', or 'only'.
        category_id: the category.
        episode_index: the episode.
        slot: place of the query in it.
        episode_pck: mean PCK@0.2 of the episode's scored pairs.
        num_pairs: how many these are.
        pair_pck: PCK@0.2 of the pair.
    """

    rank: str
    category_id: int
    episode_index: int
    slot: int
    episode_pck: float
    num_pairs: int
    pair_pck: float

    @property
    def key(self) -> tuple[int, int]:
        """What the pair is found by."""
        return self.episode_index, self.slot


def choose_episodes(table: ResultTable) -> dict[int, list[ChosenPair]]:
    """The best, the median and the worst episode of every category.

    By mean PCK@0.2 over the episode's scored pairs, then by their mean error, then by
    number. The best episode is shown by its best pair, the worst by its worst, the
    median by its median. Pairs without a scorable keypoint count 0 in the mean, but are
    never shown.

    Args:
        table: the pairs.

    Returns:
        By category id; one entry for a category with one episode, two with two, none
        where nothing could be scored.
    """
    pck, error = table.values[:, PCK_COLUMN], table.values[:, NME_COLUMN]
    episodes: dict[int, dict[int, list[int]]] = {
        i: {} for i in np.unique(table.category_id).tolist()
    }
    for row in np.flatnonzero(table.is_scored).tolist():
        own = episodes[int(table.category_id[row])]
        own.setdefault(int(table.episode_index[row]), []).append(row)
    chosen: dict[int, list[ChosenPair]] = {i: [] for i in episodes}
    for category_id, own in episodes.items():
        ranked = []
        for index, rows in own.items():
            shown = [row for row in rows if not np.isnan(pck[row])]
            if shown:
                mean = float(np.nan_to_num(pck[rows]).mean())
                ranked.append((-mean, error[shown].mean(), index, rows, shown))
        ranked.sort(key=lambda one: one[:3])
        for rank, place in _places(len(ranked)).items():
            mean, _, index, rows, shown = ranked[place]
            shown.sort(key=lambda row: (-pck[row], error[row], row))
            last = len(shown) - 1
            row = shown[{'best': 0, 'worst': last}.get(rank, last // 2)]
            pair = index, int(table.slot[row]), -mean, len(rows), float(pck[row])
            chosen[category_id].append(ChosenPair(rank, category_id, *pair))
    return chosen


def _places(number: int) -> dict[str, int]:
    """Places of the first, the middle and the last, as far as they differ."""
    if number < 2:
        return dict.fromkeys(['only'][:number], 0)
    median = dict(median=(number - 1) // 2) if number > 2 else {}
    return dict(best=0, **median, worst=number - 1)


def draw_chosen(
    chosen: Iterable[ChosenPair],
    table: ResultTable,
    dataset: MP100EpisodeDataset,
    episodes: Sequence[Episode],
) -> dict[tuple[int, int], bytes | str]:
    """Draw pairs as support | query with truth | query with prediction.

    The images are read again.

    Args:
        chosen: the pairs.
        table: all pairs.
        dataset: what the predictions were made on.
        episodes: the whole evaluation list.

    Returns:
        By (episode_index, slot) a JPEG file, or why the pair could not be drawn.
    """
    rows = table.scored_rows()
    return {
        one.key: _draw(table, rows[one.key], dataset, episodes[one.episode_index])
        for one in chosen
    }


def _draw(
    table: ResultTable, row: int, dataset: MP100EpisodeDataset, episode: Episode
) -> bytes | str:
    shown = replace(episode, query_ids=(int(table.ann_id[row]),))
    try:
        item = dataset[shown]
    except CapeError as error:
        return str(error)
    sample = item['data_samples']
    if not len(sample.query_slots):
        return sample.dropped_pairs[0]['reason']
    own = table.points[table.pair_of_point == row]
    points = np.zeros((1, sample.num_keypoints, 2))
    scores = np.zeros(points.shape[:2])
    points[0, own['index']] = np.stack([own['x'], own['y']], axis=1)
    scores[0, own['index']] = own['score']
    on_crop = apply_affine(invert_affine(sample.crop_to_image[0]), points)
    fields = dict(keypoints=on_crop, keypoints_orig=points)
    if not np.isnan(own['score']).all():
        fields['keypoint_scores'] = scores
    sample.pred_instances = InstanceData(
        **{key: torch.from_numpy(value) for key, value in fields.items()}
    )
    picture = draw_episode(item['inputs']['support'], item['inputs']['query'], sample)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode('.jpg', picture, quality)[1].tobytes()
