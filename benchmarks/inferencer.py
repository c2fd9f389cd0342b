"""Pictures through CapeInferencer beside the backbone alone, in turn; random weights.

The support is set before; pictures of 640 x 480 are in memory. How many passes settle
is up to the random weights.

    python benchmarks/inferencer.py configs/cape_mp100.py --steps 25
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import DefaultScope

from cape_mm.analysis.benchmark import alternate, ratio, shown, summarise
from cape_mm.analysis.random_model import build_model, complete_sizes
from cape_mm.apis import load_config, parse_cfg_options
from cape_mm.inference import CapeInferencer
from cape_mm.utils.devices import check_device

PICTURE = (480, 640)
"""(H, W) in pixels."""
WAYS = {
    'steps': {'model.test_cfg.mode': 'ar', 'model.head.test_decoding': 'steps'},
    'passes': {'model.test_cfg.mode': 'ar', 'model.head.test_decoding': 'passes'},
    'parallel': {'model.test_cfg.mode': 'parallel'},
}
"""Overrides of the config for each way of an autoregressive head to decode."""


def ways_of(head: torch.nn.Module) -> dict[str, dict]:
    """What is compared: ways to decode, or else the modes that a head has."""
    if hasattr(head, 'decoder'):
        return WAYS
    return {mode: {'model.test_cfg.mode': mode} for mode in head.modes}


def count_passes(inferencer: CapeInferencer, pictures: list) -> int:
    """Calls of the decoder for a batch."""
    decoder, calls = inferencer.model.head.decoder, []
    answer = decoder.answer
    decoder.answer = lambda *args, **kwargs: calls.append(1) or answer(*args, **kwargs)
    try:
        inferencer(pictures, batch_size=len(pictures))
    finally:
        del decoder.answer
    return len(calls)


def main() -> None:
    """Measure every way of decoding, at every number of pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('config')
    parser.add_argument('--batch-sizes', type=int, nargs='+', default=[1, 8])
    parser.add_argument('--num-keypoints', type=int, default=17)
    parser.add_argument('--steps', type=int, default=25)
    parser.add_argument('--cfg-options', nargs='+')
    args = parser.parse_args()
    options = parse_cfg_options(args.cfg_options)
    cfg, device = load_config(args.config, options), check_device(None)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpose')):
        model = build_model(cfg, 0, device).eval()
    rng = np.random.default_rng(0)
    shape = (max(args.batch_sizes), *PICTURE, 3)
    pictures = list(rng.integers(0, 256, shape, dtype=np.uint8))
    points = rng.uniform(0.2, 0.8, (args.num_keypoints, 2)) * PICTURE[::-1]
    edges = [(i, i + 1) for i in range(args.num_keypoints - 1)]
    own = ('model.', 'test_dataloader.')  # all that prediction reads
    of_model = {k: v for k, v in options.items() if k.startswith(own)}
    inferencers = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'random.pth'
        torch.save(dict(state_dict=model.state_dict()), path)
        for name, override in ways_of(model.head).items():
            one = CapeInferencer(args.config, path, device, of_model | override)
            one.set_support(pictures[0], points, edges)
            inferencers[name] = one
    side = complete_sizes(cfg, {}, training=False)['input_size']
    for number in args.batch_sizes:
        crops = torch.randn(number, 3, side, side, device=device)

        def run_backbone(crops=crops) -> None:
            with torch.no_grad():
                model.backbone(crops)

        batch = pictures[:number]
        works = dict(backbone=run_backbone) | {
            name: lambda one=one, batch=batch: one(batch, batch_size=len(batch))
            for name, one in inferencers.items()
        }
        alternate(works, 2)
        times = alternate(works, args.steps)
        print(f'{number} at a time, per picture')
        for name, values in times.items():
            per_picture = summarise([value / number for value in values])
            quotient = shown(ratio(values, times['backbone']))
            print(f'  {name:9} {shown(per_picture, 1)} ms, over backbone {quotient}')
        if 'passes' in inferencers:
            print(f'  {count_passes(inferencers["passes"], batch)} passes')


if __name__ == '__main__':
    main()
