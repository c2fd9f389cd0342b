"""Draw the training curves of one or several runs into a PNG, and list best values.

A run is the work directory of tools/train.py. The sessions of a resumed run are joined,
damaged lines are left out, both with a note.
"""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """example:
  python tools/plot_logs.py work_dirs/tiny --out curves.png
  python tools/plot_logs.py work_dirs/a work_dirs/b --out curves.png \\
      --keys loss PCK@0.2 PCK_macro@0.2 --smooth
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'run_dirs', nargs='+', metavar='RUN_DIR', help='work directory of a training'
    )
    parser.add_argument('--out', required=True, metavar='FILE.png', help='the picture')
    parser.add_argument(
        '--keys',
        nargs='+',
        metavar='KEY',
        help='what to draw, a panel each (loss, lr, grad_norm, PCK@0.2, NME, '
        'episodes_per_sec); beside a metric its value on training categories and the '
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
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import run_cli
    from cape_mm.apis.plot_logs import plot_logs

    return run_cli(lambda: plot_logs(**vars(args)))


if __name__ == '__main__':
    sys.exit(main())
