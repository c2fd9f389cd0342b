"""Measure speed, memory and size of a config's model with random weights.

One config, or two in turn, A B A B. The input is generated noise unless --loader reads
the config's training data.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import (  # noqa: E402
    add_cfg_options,
    library_arguments,
    new_parser,
    run_tool,
)

EXAMPLE = """examples:
  python tools/analysis_tools/benchmark.py configs/cape_tiny.py --mode train
  python tools/analysis_tools/benchmark.py configs/cape_mp100.py --mode predict \\
      --device cpu --num-keypoints 68
  python tools/analysis_tools/benchmark.py configs/cape_mp100.py \\
      --compare configs/cape_tiny.py
"""
NUMBERS = (
    ('steps', 'N', 'batches of a timed turn (5)'),
    ('rounds', 'N', 'timed turns (5)'),
    ('warmup', 'N', 'batches before them (5)'),
    ('batch-size', 'B', "episodes per batch (train: the config's; predict: 1)"),
    ('num-queries', 'Q', "queries per episode (train: the config's; predict: 1)"),
    ('num-shots', 'S', 'support images per episode (1)'),
    ('num-keypoints', 'K', 'keypoints (17)'),
    ('input-size', 'PX', "side of the network input in pixels (the config's)"),
    ('seed', 'N', 'seed of weights and input (0)'),
)


def parse_args() -> argparse.Namespace:
    """Parse the command line; numbers that are not given stay out of the namespace."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('config', help='config file')
    parser.add_argument('--compare', metavar='CONFIG', help='another one, in turn')
    parser.add_argument('--mode', default='train', help='train (default) or predict')
    for name, metavar, text in NUMBERS:
        parser.add_argument(
            f'--{name}', type=int, metavar=metavar, help=text, default=argparse.SUPPRESS
        )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--device', help='cpu, cuda or cuda:<n> (a GPU if there is)')
    parser.add_argument(
        '--loader', action='store_true', help="read the config's train_dataloader"
    )
    parser.add_argument('--out', metavar='FILE.json', help='JSON file')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> int:
    """Measure."""
    args = parse_args()

    def measure() -> None:
        from cape_mm.analysis.benchmark import BenchmarkSettings, benchmark

        values = library_arguments(args)
        configs = [values.pop('config'), values.pop('compare')]
        options, out = values.pop('cfg_options'), values.pop('out')
        chosen = [config for config in configs if config is not None]
        benchmark(chosen, BenchmarkSettings(**values), options, out)

    return run_tool(measure)


if __name__ == '__main__':
    sys.exit(main())
