"""The head's modes in turn, on queries that are encoded once; random weights.

    python benchmarks/decoding_modes.py configs/cape_synthetic.py --amp \\
        --num-queries 64 512
"""

from __future__ import annotations

import argparse
from functools import partial

import torch

from cape_mm.analysis.benchmark import alternate, ratio, shown, summarise
from cape_mm.analysis.random_model import prepare
from cape_mm.apis import parse_cfg_options
from cape_mm.models.heads import EpisodeContext


def measure_modes(measured, context, encode, steps: int) -> None:
    """Times of the encoder and of every mode, eager and on a GPU as graphs."""
    head, works = measured.model.head, dict(encode=encode)
    for graph in (False, True) if measured.device.type == 'cuda' else (False,):
        for mode in head.modes:
            label = f'{mode} (graph)' if graph else mode
            works[label] = partial(head, context, mode=mode, cuda_graph=graph)
    alternate(works, 1)
    times = alternate(works, steps)
    encoding = times.pop('encode')
    print(f'  encode {shown(summarise(encoding))} ms')
    for label, values in times.items():
        base = times['parallel (graph)' if 'graph' in label else 'parallel']
        whole = [[a + b for a, b in zip(encoding, part)] for part in (values, base)]
        print(
            f'  {label:18} {shown(summarise(values))} ms, over parallel '
            f'{shown(ratio(values, base))}, whole prediction {shown(ratio(*whole))}'
        )


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

            def encode(model=model, batch=batch) -> EpisodeContext:
                return model.encode(model.data_preprocessor(batch, False)['inputs'])

            with torch.no_grad(), measured.autocast():
                print(f'K = {keypoints}, {queries} queries')
                measure_modes(measured, encode(), encode, args.steps)


if __name__ == '__main__':
    main()
