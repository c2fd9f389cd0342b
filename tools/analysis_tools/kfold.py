"""Train and test a config on all splits, go on after an interruption, summarise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import (  # noqa: E402
    add_cfg_options,
    add_launcher,
    export_local_rank,
    new_parser,
    run_tool,
)

EXAMPLE = """examples:
  python tools/analysis_tools/kfold.py configs/cape_mp100.py
  python tools/analysis_tools/kfold.py configs/cape_tiny.py \\
      --cfg-options data_root=data/fold_{split}

Run the same command again to go on. Data other than MP-100: {split} in a value of
--cfg-options becomes the number of the split. On a cluster, start --fold 1 to 5 as jobs
of their own, then --summary-only.
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder of all folds (work_dirs/<config>_kfold)'
    )
    parser.add_argument(
        '--splits', nargs='+', type=int, default=[1, 2, 3, 4, 5], help='default: 1 to 5'
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='give a mean, marked as partial, although splits or data are missing',
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        '--fold', dest='only', type=int, help='run this split alone, summarise nothing'
    )
    modes.add_argument(
        '--summary-only', action='store_true', help='run nothing, summarise'
    )
    add_cfg_options(parser, 'data_root=data/fold_{split}')
    add_launcher(parser)
    return parser.parse_args()


def main() -> int:
    """Run, resume or summarise the folds."""
    args = parse_args()
    export_local_rank(args)

    def run() -> None:
        from cape_mm.analysis.kfold import run_kfold

        run_kfold(**vars(args))

    return run_tool(run, 'What is finished is kept: run the same command again.')


if __name__ == '__main__':
    sys.exit(main())
