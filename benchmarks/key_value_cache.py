"""Decoding with the key-value cache against recomputing, in turn; random weights.

    python benchmarks/key_value_cache.py configs/cape_synthetic.py --amp \\
        --num-queries 64 512
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial

import torch

from cape_mm.analysis.benchmark import alternate, ratio, shown
from cape_mm.analysis.random_model import prepare
from cape_mm.apis import parse_cfg_options
from cape_mm.models.heads import AutoregressiveHead, EpisodeContext
from cape_mm.models.heads.autoregressive_decoder import ordered_hops
from cape_mm.models.heads.decode_order import skeleton_order, take_in_order
from cape_mm.models.heads.prefix_mix import History
from cape_mm.models.layers import CudaGraphs


def decode_by_recomputing(
    head: AutoregressiveHead,
    context: EpisodeContext,
    proposals: torch.Tensor | None,
    order: torch.Tensor,
) -> torch.Tensor:
    """Decode without a cache: every step runs the decoder on all that came before.

    Proposals are (N, K, 2) or None, the order of decoding is (N, K). Returns points in
    the keypoints' own order, (N, K, 2); the crop's centre where no step was made.
    """
    tokens = take_in_order(context.keypoint_tokens, order)
    hops = ordered_hops(context.hops, order)
    is_known = take_in_order(context.is_known, order)
    starts = None if proposals is None else take_in_order(proposals, order)
    points = context.fine_map.new_full((*order.shape, 2), 0.5, dtype=torch.float32)
    for end in range(1, context.num_steps + 1):
        part = replace(
            context,
            keypoint_tokens=tokens[:, :end],
            hops=hops[:, :end, :end],
            is_known=is_known[:, :end],
            num_steps=end,
        )
        nothing = torch.zeros_like(part.is_known)
        emitted = History(points[:, :end], nothing)  # no question sees its own entry
        own_order = torch.arange(end, device=points.device).expand(len(points), -1)
        own_starts = None if starts is None else starts[:, :end]
        answers = head.decoder(part, own_starts, emitted, own_order)
        token = part.keypoint_tokens[:, -1:] + head.correction(answers[:, -1:])
        points[:, end - 1] = head.readout(token, part.fine_map).points[:, 0]
    return take_in_order(points, order.argsort(dim=1))


def measure_cache(measured, context, steps: int) -> None:
    """Times of decoding with the cache and by recomputing, and how far they differ."""
    head = measured.model.head
    proposal = head.propose(context)
    order = skeleton_order(context.hops, proposal.scores, context.is_known)

    def run(way, *tensors):
        rebuilt = EpisodeContext(*tensors[:-2], context.num_steps)
        return (way(rebuilt, tensors[-2] if head.use_proposals else None, tensors[-1]),)

    ways = dict(
        cached=partial(run, lambda *parts: head.decode(*parts)[1].points),
        recomputed=partial(run, partial(decode_by_recomputing, head)),
    )
    tensors = (*context.tensors(), proposal.points, order)
    works = {name: partial(way, *tensors) for name, way in ways.items()}
    if measured.device.type == 'cuda':
        graphs = CudaGraphs()
        for name, way in ways.items():
            works[f'{name} (graph)'] = partial(graphs.run, way, tensors, key=name)
    alternate(works, 1)
    times = alternate(works, steps)
    for label in ('', ' (graph)') if len(works) > 2 else ('',):
        quotient = ratio(times[f'recomputed{label}'], times[f'cached{label}'])
        print(f'  recomputing over cache{label} {shown(quotient)}')
    exact = [t.float() if t.is_floating_point() else t for t in tensors]
    with torch.autocast(measured.device.type, enabled=False):
        found = [way(*exact)[0] for way in ways.values()]
    print(f'  largest difference {(found[0] - found[1]).abs().max():.1e} of the crop')


def main() -> None:
    """Measure every number of queries with every number of keypoints."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('config')
    parser.add_argument('--num-queries', type=int, nargs='+', default=[64])
    parser.add_argument('--num-keypoints', type=int, nargs='+', default=[17, 68])
    parser.add_argument('--steps', type=int, default=6)
    parser.add_argument('--amp', action='store_true')
    parser.add_argument('--cfg-options', nargs='+')
    args = parser.parse_args()
    options = parse_cfg_options(args.cfg_options)
    for queries in args.num_queries:
        for keypoints in args.num_keypoints:
            sizes = dict(num_queries=queries, num_keypoints=keypoints)
            measured, _ = prepare(args.config, options, amp=args.amp, sizes=sizes)
            model, batch = measured.model, next(measured.batches)

            with torch.no_grad(), measured.autocast():
                print(f'K = {keypoints}, {queries} queries')
                inputs = model.data_preprocessor(batch, False)['inputs']
                measure_cache(measured, model.encode(inputs), args.steps)


if __name__ == '__main__':
    main()
