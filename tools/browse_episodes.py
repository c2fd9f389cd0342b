"""Draw episodes exactly as the model sees them, after augmentation.

One row per episode: the supports, then every query with its truth. A disc is a visible
keypoint, a ring an invisible one whose place is known, a small square a virtual one.
Captions give visible/all keypoints and the annotation id.
"""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """example:
  python tools/browse_episodes.py configs/cape_tiny.py --split train --num 12 \\
      --out work_dirs/tiny/episodes
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument(
        '--num', type=int, default=12, help='number of episodes (default: 12)'
    )
    parser.add_argument('--out', help='folder for the pictures')
    parser.add_argument(
        '--seed',
        type=int,
        help="of the training draw (default: the config's); for val and test: picks "
        'other episodes of the fixed draw',
    )
    parser.add_argument(
        '--category',
        nargs='+',
        default=(),
        metavar='ID_OR_NAME',
        help='only episodes of these categories',
    )
    parser.add_argument(
        '--show', action='store_true', help="open the sheets in the system's viewer"
    )
    parser.add_argument(
        '--panel-size',
        type=int,
        default=256,
        help='side of one picture in pixels (default: 256)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='override config values, e.g. data_root=MY/DATA',
    )
    args = parser.parse_args()
    if args.out is None and not args.show:
        parser.error('give --out DIR, --show, or both')
    return args


def browse(args: argparse.Namespace) -> None:
    """Draw, and say where the pictures are."""
    from cape_mm.apis import parse_cfg_options
    from cape_mm.apis.browse import browse_episodes

    browsed = browse_episodes(
        args.config,
        split=args.split,
        num=args.num,
        out=args.out,
        seed=args.seed,
        categories=args.category,
        show=args.show,
        panel_size=args.panel_size,
        cfg_options=parse_cfg_options(args.cfg_options),
    )
    print(browsed)


def main() -> int:
    """Draw episodes."""
    args = parse_args()
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import run_cli

    return run_cli(lambda: browse(args))


if __name__ == '__main__':
    sys.exit(main())
