"""Check annotation files and images: what can be used, what is missing, what is odd."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/dataset_tools/check_dataset.py data/mp100 --decode --out check.json

exit code:
  0  clean
  1  usable with gaps: something is missing or was dropped as malformed
  2  unusable: training would stop at once, or the check itself could not run
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument(
        'data_root',
        nargs='?',
        help='folder with annotations/*.json and images/<folder>/, or with the '
        'category folders directly in it',
    )
    parser.add_argument(
        '--ann-file', nargs='+', metavar='JSON', help='check these files only'
    )
    parser.add_argument(
        '--image-folder',
        help='what file names are relative to (default: images/ in the data root, or '
        'the data root where there is none)',
    )
    parser.add_argument('--num-shots', type=int, default=1, help='default: 1')
    parser.add_argument('--num-queries', type=int, default=15, help='default: 15')
    parser.add_argument(
        '--decode',
        action='store_true',
        help='decode every image and compare its size with the JSON',
    )
    parser.add_argument(
        '--num-workers', type=int, help='processes that decode (default: one per core)'
    )
    parser.add_argument('--out', help='write the whole report as JSON')
    args = parser.parse_args()
    if not args.data_root and not args.ann_file:
        parser.error('give a data root or --ann-file')
    return args


def check(args: argparse.Namespace) -> int:
    """Check, print the table, write what was asked for.

    Returns:
        The report's exit code.

    Raises:
        ConfigError: a number is below 1.
        MissingDataError: the data root does not exist.
    """
    from cape_mm.data_tools.checking import (
        check_dataset,
        format_report,
        image_folder_of,
    )
    from cape_mm.evaluation.report import write_metrics

    folder = args.image_folder
    if folder is None and args.ann_file and args.data_root:
        folder = image_folder_of(args.data_root)
    report = check_dataset(
        args.ann_file or args.data_root,
        image_folder=folder,
        num_shots=args.num_shots,
        num_queries=args.num_queries,
        decode=args.decode,
        num_workers=args.num_workers,
    )
    print(format_report(report))
    if args.out:
        print(f'report: {write_metrics(report.to_dict(), args.out)}')
    return report.exit_code


def main() -> int:
    """Check the data set."""
    args = parse_args()
    codes: list[int] = []
    status = run_tool(lambda: codes.append(check(args)), 'The data are untouched.')
    return status or codes[0]


if __name__ == '__main__':
    sys.exit(main())
