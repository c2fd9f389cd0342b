"""Write the evaluation draw of a config or an annotation file as JSON; no image needed.

The draws of the config's validation and test data, with 1 and with 5 shots, each in a
file of its own; EpisodeSampler(episodes_file=...) replays such a file.
"""

from __future__ import annotations

import argparse
import sys

EXAMPLE = """examples:
  python tools/freeze_episodes.py configs/cape_mp100.py --out work_dirs/episodes
  python tools/freeze_episodes.py --out work_dirs/episodes \\
      --ann-file data/mp100/annotations/mp100_split2_test.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config', nargs='?', help='config file (none: the official draw of --ann-file)'
    )
    parser.add_argument('--ann-file', help="annotation file, instead of the config's")
    parser.add_argument(
        '--subset', choices=('val', 'test'), help='data of the config (default: both)'
    )
    parser.add_argument(
        '--num-shots',
        type=int,
        nargs='+',
        default=[1, 5],
        metavar='S',
        help='supports per episode, one file for each (default: 1 5)',
    )
    parser.add_argument(
        '--episodes-per-category',
        type=int,
        metavar='N',
        help="default: the config's; official: 200 in test, 100 in val",
    )
    parser.add_argument(
        '--num-queries', type=int, metavar='Q', help="default: the config's, or 15"
    )
    parser.add_argument(
        '--out',
        default='work_dirs/episodes',
        help='folder, or a .json file if only one is written (work_dirs/episodes)',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace files with other episodes'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', metavar='KEY=VALUE', help='override config values'
    )
    return parser.parse_args()


def freeze(args: argparse.Namespace) -> None:
    """Write the files and print where they are."""
    from cape_mm.apis import parse_cfg_options
    from cape_mm.apis.freezing import describe_files, freeze_episodes

    options = {**vars(args), 'cfg_options': parse_cfg_options(args.cfg_options)}
    print(describe_files(freeze_episodes(**options)))


def main() -> int:
    """Freeze episodes."""
    args = parse_args()
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import run_cli

    return run_cli(lambda: freeze(args), interrupt_hint='No file is half written.')


if __name__ == '__main__':
    sys.exit(main())
