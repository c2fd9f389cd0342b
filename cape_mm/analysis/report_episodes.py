"""The best, the median and the worst episode of every category, and their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData

from ..datasets import MP100EpisodeDataset
from ..errors import CapeError
from ..evaluation.prediction_dump import NO_CONFIDENCE
from ..evaluation.results import PCK_COLUMN, VALUE_KEYS, ResultTable
from ..structures import Episode
from ..structures.geometry import apply_affine, invert_affine
from ..visualization import draw_episode

NME_COLUMN = VALUE_KEYS.index('NME')
JPEG_QUALITY = 85

Entry = Mapping[str, Any]


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
    by_category: dict[int, list] = {
        i: [] for i in np.unique(table.category_id).tolist()
    }
    scored = np.flatnonzero(table.is_scored)
    scored = scored[np.argsort(table.episode_index[scored], kind='stable')]
    is_next = np.diff(table.episode_index[scored]) > 0
    for rows in np.split(scored, np.flatnonzero(is_next) + 1):
        values = table.values[rows]
        if len(rows) and not np.isnan(values[:, PCK_COLUMN]).all():
            pck = np.nan_to_num(values[:, PCK_COLUMN]).mean()
            key = -pck, np.nanmean(values[:, NME_COLUMN]), table.episode_index[rows[0]]
            by_category[int(table.category_id[rows[0]])].append((key, rows))
    return {
        category_id: [
            _choose_pair(table, rank, *episode)
            for rank, episode in _pick(sorted(episodes, key=lambda one: one[0]))
        ]
        for category_id, episodes in by_category.items()
    }


def _pick(ranked: Sequence) -> list[tuple[str, Any]]:
    """Rank and item of the first, the middle and the last, as far as they differ."""
    if len(ranked) < 2:
        return [('only', item) for item in ranked]
    places = {'best': 0, 'median': (len(ranked) - 1) // 2, 'worst': len(ranked) - 1}
    if len(ranked) == 2:
        del places['median']
    return [(rank, ranked[place]) for rank, place in places.items()]


def _choose_pair(
    table: ResultTable, rank: str, key: tuple, rows: np.ndarray
) -> ChosenPair:
    pck, error = table.values[:, PCK_COLUMN], table.values[:, NME_COLUMN]
    shown = [row for row in rows.tolist() if not np.isnan(pck[row])]
    shown.sort(key=lambda row: (-pck[row], error[row], row))
    last = len(shown) - 1
    row = shown[{'best': 0, 'worst': last}.get(rank, last // 2)]
    return ChosenPair(
        rank=rank,
        category_id=int(table.category_id[row]),
        episode_index=int(table.episode_index[row]),
        slot=int(table.slot[row]),
        episode_pck=-float(key[0]),
        num_pairs=len(rows),
        pair_pck=float(pck[row]),
    )


def draw_chosen(
    chosen: Iterable[ChosenPair],
    entries: Sequence[Entry],
    dataset: MP100EpisodeDataset,
) -> dict[tuple[int, int], bytes | str]:
    """Draw pairs as support | query with truth | query with prediction.

    The images are read again.

    Args:
        chosen: the pairs.
        entries: the predictions, as ``PredictionDump`` keeps them.
        dataset: what the predictions were made on.

    Returns:
        By (episode_index, slot) a JPEG file, or why the pair could not be drawn.
    """
    by_key = {(entry['episode_index'], entry['slot']): entry for entry in entries}
    return {one.key: _draw(by_key[one.key], dataset) for one in chosen}


def _draw(entry: Entry, dataset: MP100EpisodeDataset) -> bytes | str:
    index, supports = entry['episode_index'], tuple(entry['support_ids'])
    queries = (entry['ann_id'],)
    try:
        item = dataset[Episode(entry['category_id'], supports, queries, index, index)]
    except CapeError as error:
        return str(error)
    sample = item['data_samples']
    if not len(sample.query_slots):
        return sample.dropped_pairs[0]['reason']
    triplets = np.asarray(entry['keypoints'], np.float64).reshape(1, -1, 3)
    points, scores = triplets[..., :2], triplets[..., 2]
    on_crop = apply_affine(invert_affine(sample.crop_to_image[0]), points)
    fields = dict(keypoints=on_crop, keypoints_orig=points)
    if not (scores == NO_CONFIDENCE).all():
        fields['keypoint_scores'] = scores
    sample.pred_instances = InstanceData(
        **{key: torch.from_numpy(value) for key, value in fields.items()}
    )
    picture = draw_episode(item['inputs']['support'], item['inputs']['query'], sample)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return cv2.imencode('.jpg', picture, quality)[1].tobytes()
