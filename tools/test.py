"""Test a checkpoint: print the metrics table and write metrics.json.

The values of every pair are written beside it, as metrics.pairs.json:
tools/compare_results.py compares two runs by them.
"""

from __future__ import annotations

import argparse
import os
import sys

EXAMPLE = """example:
  python tools/test.py configs/cape_tiny.py work_dirs/tiny/epoch_4.pth \\
      --work-dir work_dirs/tiny --show-dir work_dirs/tiny/pictures \\
      --dump work_dirs/tiny/preds.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line; the argument names are MMPose's."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--work-dir', help='folder for logs and metrics (work_dirs/<config>)'
    )
    parser.add_argument('--out', help='metrics file (<work-dir>/metrics.json)')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on from the categories that an interrupted test finished',
    )
    parser.add_argument(
        '--dump',
        metavar='FILE.json',
        help='keep the predictions as COCO keypoint results (see tools/score_dump.py)',
    )
    parser.add_argument(
        '--report', metavar='DIR', help='write a report there: report.html, report.md'
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='load a checkpoint that could run code: only for a file of your own',
    )
    parser.add_argument('--show-dir', help='folder for pictures of episodes')
    parser.add_argument(
        '--num-show', type=int, default=20, help='number of episodes to draw (20)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='override config values, e.g. test_dataloader.sampler.num_shots=5',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def main() -> int:
    """Test."""
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    # Not at the top: --help should not wait for torch and mmpose.
    from cape_mm.apis import parse_cfg_options, run_cli, test

    return run_cli(
        lambda: test(
            args.config,
            args.checkpoint,
            work_dir=args.work_dir,
            cfg_options=parse_cfg_options(args.cfg_options),
            launcher=args.launcher,
            show_dir=args.show_dir,
            num_show=args.num_show,
            out=args.out,
            resume=args.resume,
            dump=args.dump,
            trust_checkpoint=args.trust_checkpoint,
            report=args.report,
        )
    )


if __name__ == '__main__':
    sys.exit(main())
