"""Link the images of MP-100 from the thirteen source data sets, then check the result.

Give the folders where the sources were unpacked, any subset of them. They are only
read. The tool can be run again at any time: it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

SOURCES = {
    'COCO': 'coco',
    '300W': '300w',
    'AFLW': 'aflw',
    'OneHand10K': 'onehand10k',
    'DeepFashion2': 'deepfashion2',
    'AP-10K': 'ap10k',
    'MacaquePose': 'macaquepose',
    'Vinegar Fly': 'vinegar-fly',
    'Desert Locust': 'desert-locust',
    'CUB-200': 'cub200',
    'CarFusion': 'carfusion',
    'AnimalWeb': 'animalweb',
    'Keypoint-5': 'keypoint5',
}
MODES = ('symlink', 'copy')
EXAMPLE = """example:
  python tools/dataset_tools/prepare_mp100.py --sources downloads --dry-run
  python tools/dataset_tools/prepare_mp100.py --coco downloads/coco \\
      --ap10k downloads/ap-10k

exit code: 0 complete, 1 usable with gaps, 2 unusable or a wrong argument
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument(
        '--data-root',
        default='data/mp100',
        help='has the folder annotations, gets the folder images (default: data/mp100)',
    )
    parser.add_argument(
        '--ann-file',
        nargs='+',
        default=[],
        metavar='JSON',
        help='annotation files (default: all in DATA_ROOT/annotations)',
    )
    parser.add_argument(
        '--sources',
        metavar='DIR',
        help='folder in which the sources lie, each in a folder of its own name',
    )
    for name, key in SOURCES.items():
        parser.add_argument(
            f'--{key}', dest=name, metavar='DIR', help=f'where {name} was unpacked'
        )
    parser.add_argument(
        '--mode', default=MODES[0], choices=MODES, help=f'default: {MODES[0]}'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='print the plan and write nothing'
    )
    return parser.parse_args()


def source_folders(args: argparse.Namespace) -> dict[str, str | Path]:
    """Folder of each source: those found in ``--sources``, then those named.

    Raises:
        ConfigError: there is none.
    """
    from cape_mm.data_tools.mp100_sources import guess_source_folders
    from cape_mm.errors import ConfigError

    folders = dict(guess_source_folders(args.sources)) if args.sources else {}
    named = {name: getattr(args, name) for name in SOURCES}
    folders.update({name: path for name, path in named.items() if path is not None})
    if not folders:
        raise ConfigError(
            'no source data set was given: name the folder that holds them (--sources '
            'DIR) or single ones (--coco DIR, --ap10k DIR, ...; see --help).'
        )
    return folders


def main() -> int:
    """Prepare the data root; returns the exit code."""
    args = parse_args()
    codes: list[int] = []

    def prepare() -> None:
        from cape_mm.data_tools.preparation import prepare_mp100

        result = prepare_mp100(
            args.data_root, source_folders(args), args.ann_file, args.mode, args.dry_run
        )
        codes.append(result.exit_code)

    hint = 'Run the same command again: it goes on where it stopped.'
    return run_tool(prepare, hint) or codes[0]


if __name__ == '__main__':
    sys.exit(main())
