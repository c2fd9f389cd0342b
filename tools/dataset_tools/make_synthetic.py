"""Write the synthetic MP-100: procedural objects in MP-100's own layout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/dataset_tools/make_synthetic.py --out data/synthetic --size tiny
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('--out', required=True, help='data root to create')
    parser.add_argument(
        '--size',
        default='tiny',
        choices=('tiny', 'standard'),
        help='tiny: 88 categories x 40 instances, 128 px; '
        'standard: 100 x 120, 256 px (default: tiny)',
    )
    parser.add_argument('--seed', type=int, default=0, help='default: 0')
    parser.add_argument(
        '--num-workers', type=int, help='processes (default: one per available core)'
    )
    parser.add_argument(
        '--force', action='store_true', help='replace an earlier output that differs'
    )
    return parser.parse_args()


def main() -> int:
    """Write the data set and print its counts."""
    args = parse_args()

    def write() -> None:
        from cape_mm.datasets.synthetic import write_synthetic_mp100

        given = (args.out, args.size, args.seed, args.num_workers, args.force)
        print(write_synthetic_mp100(*given))

    return run_tool(write, 'Nothing was written.')


if __name__ == '__main__':
    sys.exit(main())
