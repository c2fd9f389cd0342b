"""Draw the training curves of one or several runs into a PNG, and list best values.

A run is the work directory of tools/train.py. The sessions of a resumed run are joined,
damaged lines are left out, both with a note.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/analysis_tools/plot_logs.py work_dirs/tiny --out curves.png
  python tools/analysis_tools/plot_logs.py work_dirs/a work_dirs/b --out curves.png \\
      --keys loss PCK@0.2 PCK_macro@0.2 --smooth
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument(
        'run_dirs', nargs='+', metavar='RUN_DIR', help='work directory of a training'
    )
    parser.add_argument('--out', required=True, metavar='FILE.png', help='the picture')
    parser.add_argument(
        '--keys',
        nargs='+',
        metavar='KEY',
        help='what to draw, a panel each (loss, lr, grad_norm, PCK@0.2, NME, '
        'episodes_per_sec); beside a metric the '
        'floor',
    )
    parser.add_argument(
        '--smooth',
        nargs='?',
        type=int,
        const=10,
        default=1,
        metavar='N',
        help='moving mean over N logged training values (10), raw ones pale behind it',
    )
    return parser.parse_args()


def main() -> int:
    """Plot."""
    args = parse_args()

    def plot() -> None:
        from cape_mm.analysis.plot_logs import plot_logs

        plot_logs(**vars(args))

    return run_tool(plot)


if __name__ == '__main__':
    sys.exit(main())
