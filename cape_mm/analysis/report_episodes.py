"""The best, the median and the worst episode of every category, and their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData

from ..datasets import MP100EpisodeDataset
from ..errors import CapeError
from ..evaluation.results import PCK_COLUMN, VALUE_KEYS, ResultTable
from ..structures import Episode
from ..structures.geometry import apply_affine, invert_affine
from ..visualization import draw_episode

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
