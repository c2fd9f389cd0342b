"""Measure speed and memory of a config's model, on generated input by default."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import add_cfg_options, library_arguments, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/analysis_tools/benchmark.py configs/cape_tiny.py --mode train --steps 20
  python tools/analysis_tools/benchmark.py configs/cape_mp100.py --mode predict \\
      --device cpu
  python tools/analysis_tools/benchmark.py configs/cape_mp100.py --mode decode \\
      --num-keypoints 17 68
  python tools/analysis_tools/benchmark.py configs/cape_tiny.py --mode evaluate \\
      --plain-pairs 300
  python tools/analysis_tools/benchmark.py configs/cape_mp100.py --mode infer \\
      --device cpu
  python tools/analysis_tools/benchmark.py configs/cape_mp100.py --mode load --pairs 10
  python tools/analysis_tools/benchmark.py \\
      --compare configs/cape_mp100.py configs/cape_tiny.py
"""
COUNTS = (
    ('steps', 'N', 'timed steps; with --compare of every turn (20)'),
    ('warmup', 'N', 'steps before them (5)'),
    (
        'batch-size',
        'B',
        "per batch (train: the config's; infer: 1 and 8; else 1)",
    ),
    ('num-queries', 'Q', "queries per episode (train: the config's; decode: 64)"),
    ('num-shots', 'S', 'support images per episode (1)'),
    ('input-size', 'PX', "side of the network input in pixels (the config's)"),
    ('seed', 'N', 'seed of weights and input (0)'),
    ('pairs', 'N', 'turns of either side with --compare or --mode load (5)'),
    ('plain-pairs', 'N', 'support-query pairs of the plain loop in evaluate (1000)'),
    ('num-pictures', 'N', 'pictures of a turn in load (200)'),
    ('num-workers', 'N', 'processes of either loader in load (2)'),
)


def parse_args() -> argparse.Namespace:
    """Parse the command line; what is not given stays out of the namespace."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument('config', nargs='?', default=None, help='config file')
    parser.add_argument(
        '--compare',
        nargs='+',
        metavar='CONFIG',
        default=[],
        help='run two configs in turn, A B A B, and print the ratio pair by pair',
    )
    modes = 'train (default), predict, decode, evaluate, infer or load'
    parser.add_argument('--mode', help=modes)
    for name, metavar, text in COUNTS:
        parser.add_argument(f'--{name}', type=int, metavar=metavar, help=text)
    parser.add_argument(
        '--num-keypoints',
        type=int,
        nargs='+',
        metavar='K',
        help='keypoints (17); decode takes several (17 68)',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--device', help='cpu, cuda or cuda:<n> (a GPU if there is)')
    parser.add_argument(
        '--loader', action='store_true', help="read the config's train_dataloader"
    )
    parser.add_argument('--out', metavar='FILE.json', default=None, help='JSON file')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> int:
    """Measure."""
    args = parse_args()

    def measure() -> None:
        from cape_mm.analysis.benchmark import BenchmarkSettings, benchmark

        values = library_arguments(args)
        compared = values.pop('compare')
        configs = [values.pop('config'), *compared]
        configs = [config for config in configs if config is not None]
        values['compare'] = bool(compared)
        out, options = values.pop('out'), values.pop('cfg_options')
        if 'num_keypoints' in values:
            values['num_keypoints'] = tuple(values['num_keypoints'])
        benchmark(configs, BenchmarkSettings(**values), options, out)

    return run_tool(measure)


if __name__ == '__main__':
    sys.exit(main())
