"""Write the evaluation draw of a config or an annotation file as JSON; no image needed.

The draws of the config's validation and test data, with 1 and with 5 shots, each in a
file of its own; EpisodeSampler(episodes_file=...) replays such a file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import add_cfg_options, library_arguments, new_parser, run_tool  # noqa: E402

EXAMPLE = """examples:
  python tools/dataset_tools/freeze_episodes.py configs/cape_mp100.py \\
      --out work_dirs/episodes
  python tools/dataset_tools/freeze_episodes.py --out work_dirs/episodes \\
      --ann-file data/mp100/annotations/mp100_split2_test.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument(
        'config', nargs='?', help='config file (none: the official draw of --ann-file)'
    )
    parser.add_argument('--ann-file', help='annotation file, instead of a config')
    parser.add_argument(
        '--num-shots',
        type=int,
        nargs='+',
        default=[1, 5],
        metavar='S',
        help='supports per episode, one file for each (default: 1 5)',
    )
    parser.add_argument(
        '--out', default='work_dirs/episodes', help='folder (work_dirs/episodes)'
    )
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> int:
    """Freeze episodes, and say where the files are."""
    args = parse_args()

    def freeze() -> None:
        from cape_mm.data_tools.freezing import describe_files, freeze_episodes

        print(describe_files(freeze_episodes(**library_arguments(args))))

    return run_tool(freeze, 'No file is half written.')


if __name__ == '__main__':
    sys.exit(main())
