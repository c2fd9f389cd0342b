"""What adapting the model in the box to a category is worth, on categories unlike it.

    python benchmarks/adaptation.py data/realcape --shots 1 5 --episodes 8

Episodes are drawn from one seed: marked pictures, queries of other pictures, and up to
twelve pictures that nobody marked, none of them a query where there are enough.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from tabulate import tabulate

from cape_mm.datasets.annotation_index import AnnotationIndex
from cape_mm.inference import CapeInferencer
from cape_mm.inference.adaptation import MAX_UNMARKED

THRESHOLDS = 0.2, 0.05


def draw(instances: list, shots: int, num: int, rng: np.random.Generator) -> tuple:
    """Supports, queries and unmarked instances; supports share no image with others."""
    order = [instances[place] for place in rng.permutation(len(instances))]
    supports, images = [], set()
    for one in order:
        if len(supports) < shots and one.img_id not in images:
            supports.append(one)
            images.add(one.img_id)
    rest = [one for one in order if one.img_id not in images]
    unmarked = rest[num : num + MAX_UNMARKED] or rest
    return supports, rest[:num], unmarked


def share_right(inferencer: CapeInferencer, queries: list, read) -> np.ndarray:
    """PCK of the queries at both thresholds, a mean over pairs, in percent."""
    boxes = [one.bbox for one in queries]
    found = inferencer([read(one) for one in queries], boxes)
    is_known, shares = inferencer.support.is_known, []
    for one, result in zip(queries, found):
        gap = np.linalg.norm(result.keypoints[0] - one.keypoints, axis=1)
        gap = gap[is_known & one.is_visible] / max(one.bbox[2:])
        shares += [[(gap < limit).mean() for limit in THRESHOLDS]] if len(gap) else []
    return 100 * np.mean(shares, axis=0)


def main() -> None:
    """Print PCK before and after by category, and how long adapting took."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('data', type=Path)
    parser.add_argument('--checkpoint')
    parser.add_argument('--shots', type=int, nargs='+', default=[1, 5])
    parser.add_argument('--episodes', type=int, default=8)
    parser.add_argument('--queries', type=int, default=10)
    parser.add_argument('--categories', nargs='+')
    parser.add_argument('--steps', type=int, nargs='+', default=[40])
    parser.add_argument('--lr', type=float)
    parser.add_argument('--marked-only', action='store_true')
    args = parser.parse_args()
    files = [args.data / f'annotations/realcape_{n}.json' for n in ('val', 'test')]
    index = AnnotationIndex.read(files)
    inferencer = CapeInferencer(checkpoint=args.checkpoint)

    def read(one) -> np.ndarray:
        return cv2.imread(str(args.data / 'images' / one.file_name))

    for shots in args.shots:
        rows, seconds = [], []
        for category in index.categories.values():
            if args.categories and category.name not in args.categories:
                continue
            mine = [one for one in index.instances if one.category_id == category.id]
            if len({one.img_id for one in mine}) <= shots:
                continue
            rng, scores = np.random.default_rng(0), []
            for _ in range(args.episodes):
                supports, queries, unmarked = draw(mine, shots, args.queries, rng)
                inferencer.set_support(
                    [read(one) for one in supports],
                    np.stack([one.keypoints for one in supports]),
                    category.skeleton,
                    np.stack([one.is_visible for one in supports]),
                    np.stack([one.bbox for one in supports]),
                )
                given = {}
                if not args.marked_only:
                    given['pictures'] = [read(one) for one in unmarked]
                    given['bboxes'] = [one.bbox for one in unmarked]
                row = [share_right(inferencer, queries, read)]
                for steps in args.steps:
                    start = time.perf_counter()
                    inferencer.adapt(steps, args.lr, **given)
                    seconds.append(time.perf_counter() - start)
                    row.append(share_right(inferencer, queries, read))
                scores.append(row)
            rows.append([category.name, *np.mean(scores, axis=0).flatten()])
        rows.append(['mean', *np.mean([row[1:] for row in rows], axis=0)])
        heads = [f'{n} @{t}' for n in ('as is', *args.steps) for t in THRESHOLDS]
        print(f'{shots} shots, adapting took {np.median(seconds):.1f} s')
        print(tabulate(rows, [''] + heads, floatfmt='.1f'), flush=True)


if __name__ == '__main__':
    main()
