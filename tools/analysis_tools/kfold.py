"""Train and test a config on all splits, resume what was interrupted, aggregate."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
sys.path.append(str(TOOLS))

from command_line import add_cfg_options, new_parser, run_tool  # noqa: E402

EXAMPLE = """examples:
  python tools/analysis_tools/kfold.py configs/cape_mp100.py
  python tools/analysis_tools/kfold.py configs/cape_mp100.py --slurm jobs/mp100
  python tools/analysis_tools/kfold.py configs/cape_tiny.py \\
      --cfg-options data_root=data/fold_{split}

Run the same command again to go on. Data other than MP-100: {split} in a value of
--cfg-options becomes the number of the split.
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
    parser.add_argument('--gpus', type=int, default=1, help='GPUs per fold (1)')
    parser.add_argument(
        '--allow-partial',
        action='store_true',
        help='give a mean, marked as partial, although splits or data are missing',
    )
    add_cfg_options(parser, 'data_root=data/fold_{split}')
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        '--fold', type=int, help='run this split only, aggregate nothing'
    )
    modes.add_argument(
        '--collect', action='store_true', help='run nothing, aggregate what is finished'
    )
    modes.add_argument(
        '--print-commands', action='store_true', help='print a command per split'
    )
    modes.add_argument('--slurm', metavar='OUT_DIR', help='write Slurm job scripts')
    return parser.parse_args()


def kfold(args: argparse.Namespace) -> None:
    """Do what the arguments ask for."""
    from cape_mm.analysis.kfold import (
        KFold,
        collect,
        print_commands,
        run_fold,
        run_kfold,
        write_slurm_scripts,
    )

    folds = KFold(
        config=Path(args.config),
        work_dir=Path(args.work_dir or f'work_dirs/{Path(args.config).stem}_kfold'),
        splits=tuple(args.splits),
        options=tuple(args.cfg_options),
        amp=args.amp,
        gpus=args.gpus,
    )
    if args.print_commands:
        print_commands(folds, TOOLS)
    elif args.slurm:
        write_slurm_scripts(folds, TOOLS, Path(args.slurm))
    elif args.fold is not None:
        run_fold(folds, args.fold, TOOLS)
    else:
        if not args.collect:
            run_kfold(folds, TOOLS)
        collect(folds, args.allow_partial)


def main() -> int:
    """Run, resume or aggregate the folds."""
    args = parse_args()
    hint = 'What is finished is kept: run the same command again.'
    return run_tool(lambda: kfold(args), hint)


if __name__ == '__main__':
    sys.exit(main())
