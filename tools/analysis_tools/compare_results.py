"""Compare two results on the same frozen episodes: is the difference more than luck?

A and B are the files of results that tools/test.py and rescore.py write beside
their metrics (metrics.results.npz for metrics.json), or those metrics files, or the
folders that hold a metrics.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/test.py configs/cape_tiny.py A/epoch_4.pth --work-dir work_dirs/a
  python tools/test.py configs/cape_tiny.py B/epoch_4.pth --work-dir work_dirs/b
  python tools/analysis_tools/compare_results.py work_dirs/a work_dirs/b \\
      --out comparison.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('first', metavar='A', help='folder, metrics or results file')
    parser.add_argument('second', metavar='B', help='the same of the other run')
    parser.add_argument(
        '--key', default='PCK@0.2', help='value to compare, e.g. mPCK5 or NME (PCK@0.2)'
    )
    parser.add_argument(
        '--common-pairs',
        action='store_true',
        help='where a run lost pairs, compare those that both scored',
    )
    parser.add_argument(
        '--num-resamples', type=int, default=1000, help='of each bootstrap (1000)'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the bootstrap (0)')
    parser.add_argument('--out', metavar='FILE.json', help='file for the figures')
    return parser.parse_args()


def main() -> int:
    """Compare."""
    args = parse_args()

    def compare() -> None:
        from cape_mm.analysis.run_comparison import compare_results

        compare_results(**vars(args))

    return run_tool(compare)


if __name__ == '__main__':
    sys.exit(main())
