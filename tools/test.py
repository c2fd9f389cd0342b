"""Test a checkpoint: print the metrics table and write metrics.json.

The results of every pair are written beside it, as metrics.results.npz:
tools/analysis_tools/compare_results.py compares two runs by them, rescore.py scores
them again.
"""

from __future__ import annotations

import argparse
import sys

from command_line import (
    add_cfg_options,
    add_launcher,
    add_trust_option,
    library_arguments,
    new_parser,
    run_tool,
)

EXAMPLE = """example:
  python tools/test.py configs/cape_tiny.py work_dirs/tiny/epoch_4.pth \\
      --work-dir work_dirs/tiny --show-dir work_dirs/tiny/pictures \\
      --dump work_dirs/tiny/preds.json
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line; the argument names are MMPose's."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint file (none: the model as its config initialises it)',
    )
    parser.add_argument(
        '--work-dir', help='folder for logs and metrics (work_dirs/<config>)'
    )
    parser.add_argument('--out', help='metrics file (<work-dir>/metrics.json)')
    parser.add_argument(
        '--dump',
        metavar='FILE.json',
        help='write the predictions as COCO keypoint results',
    )
    parser.add_argument(
        '--report', metavar='DIR', help='write a report there: report.html'
    )
    add_trust_option(parser)
    parser.add_argument('--show-dir', help='folder for pictures of episodes')
    parser.add_argument(
        '--num-show', type=int, default=20, help='number of episodes to draw (20)'
    )
    add_cfg_options(parser, 'test_dataloader.sampler.num_shots=5')
    add_launcher(parser)
    return parser.parse_args()


def main() -> int:
    """Test."""
    args = parse_args()

    def work() -> None:
        from cape_mm.apis import test

        test(**library_arguments(args))

    return run_tool(work)


if __name__ == '__main__':
    sys.exit(main())
