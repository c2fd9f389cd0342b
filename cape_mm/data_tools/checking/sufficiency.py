"""Is there enough of each category to draw an episode from?"""

from __future__ import annotations

from collections import defaultdict

from ...datasets.categories import Category
from ...datasets.episode_pools import EpisodeSize
from ...datasets.instance_filters import Instance
from .findings import GAP, NOTE, Finding, found
from .skeletons import label


class Pools:
    """Instances by category: is there enough to draw an episode from?"""

    def __init__(
        self,
        kept: list[Instance],
        available: list[Instance],
        num_shots: int,
        num_queries: int,
    ) -> None:
        self.kept = _by_category(kept)
        self.available = _by_category(available)
        self.num_shots, self.num_queries = num_shots, num_queries
        self.is_enough = EpisodeSize(num_shots, num_queries).fits

    def findings(self, categories: dict[int, Category]) -> list[Finding]:
        """Categories that are too small, from the start or for want of images."""
        small, emptied, unused = [], [], []
        for key, category in categories.items():
            kept, available = self.kept[key], self.available[key]
            if not kept:
                unused.append(label(category))
            elif not self.is_enough(kept):
                images = len({image_id for _, image_id in kept})
                small.append(f'{label(category)} ({len(kept)} on {images} images)')
            elif not self.is_enough(available):
                counts = f'{len(available)} of {len(kept)}'
                emptied.append(f'{label(category)} ({counts})')
        needed = f'{self.num_shots} + {self.num_queries}'
        return [
            *found(f'too few instances for {needed}', GAP, 'categories', small),
            *found(f'too few images left for {needed}', GAP, 'categories', emptied),
            *found('no usable annotation', NOTE, 'categories', unused),
        ]


def _by_category(instances: list[Instance]) -> dict[int, list[tuple[int, int]]]:
    pools = defaultdict(list)
    for inst in instances:
        pools[inst.category_id].append((inst.ann_id, inst.img_id))
    return pools
