"""Train a model from a config."""

from __future__ import annotations

import argparse
import os
import sys

EXAMPLE = """example:
  python tools/train.py configs/cape_tiny.py --work-dir work_dirs/tiny
  python tools/train.py configs/cape_tiny.py --work-dir work_dirs/tiny --resume
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line; the argument names are MMPose's."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder for logs and checkpoints (work_dirs/<config>)'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, or from the latest in the work directory',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='load checkpoints that could run code: only for files of your own',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--no-validate', action='store_true', help='no validation during training'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='override config values, e.g. train_cfg.max_epochs=3 data_root=/data/x',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def main() -> int:
    """Train."""
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import parse_cfg_options, run_cli, train

    return run_cli(
        lambda: train(
            args.config,
            work_dir=args.work_dir,
            resume=args.resume,
            amp=args.amp,
            no_validate=args.no_validate,
            cfg_options=parse_cfg_options(args.cfg_options),
            launcher=args.launcher,
            trust_checkpoint=args.trust_checkpoint,
        ),
        interrupt_hint='Finished epochs are saved: run the same command with --resume.',
    )


if __name__ == '__main__':
    sys.exit(main())
