"""Draw episodes exactly as the model sees them, after augmentation.

One row per episode: the supports, then every query with its truth. A disc is a visible
keypoint, a ring an invisible one whose place is known.
Captions give visible/all keypoints and the annotation id.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import add_cfg_options, library_arguments, new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/dataset_tools/browse_episodes.py configs/cape_tiny.py --split train \\
      --num 12 \\
      --out work_dirs/tiny/episodes
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('config', help='config file')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument(
        '--num', type=int, default=12, help='number of episodes (default: 12)'
    )
    parser.add_argument('--out', required=True, help='folder for the pictures')
    parser.add_argument(
        '--category',
        nargs='+',
        default=(),
        metavar='ID_OR_NAME',
        help='only episodes of these categories',
    )
    add_cfg_options(parser, 'data_root=MY/DATA')
    return parser.parse_args()


def main() -> int:
    """Draw episodes, and say where the pictures are."""
    args = parse_args()

    def browse() -> None:
        from cape_mm.data_tools.browsing import browse_episodes

        print(browse_episodes(**library_arguments(args)))

    return run_tool(browse)


if __name__ == '__main__':
    sys.exit(main())
