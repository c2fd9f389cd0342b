"""Measure how much PCK a checkpoint loses where its input is disturbed.

The same frozen episodes are run as they are, with another skeleton, and with queries
that are covered, turned, scaled, compressed or blurred. A table and a JSON file put
every run beside the clean one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import (  # noqa: E402
    add_cfg_options,
    add_trust_option,
    library_arguments,
    new_parser,
    run_tool,
)

EXAMPLE = """example:
  python tools/analysis_tools/robustness.py configs/cape_tiny.py \\
      work_dirs/cape_tiny/epoch_4.pth \\
      --out work_dirs/cape_tiny/robustness --episodes-per-category 10
"""
NAMES = """perturbations:
  no_skeleton      no edges
  permuted_skeleton  the same graph on the keypoints in another order
  occlusion, rotation, scale, jpeg, blur   of the queries; supports stay as they are
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, f'{NAMES}\n{EXAMPLE}')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--out', metavar='DIR', help='folder (work_dirs/<config>/robustness)'
    )
    parser.add_argument(
        '--only', nargs='+', metavar='NAME', help='these perturbations alone (all)'
    )
    parser.add_argument(
        '--episodes-per-category',
        type=int,
        metavar='N',
        help="the first N of the test's own episodes (all)",
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of perturbations and bootstrap (0)'
    )
    add_trust_option(parser)
    add_cfg_options(parser, 'test_dataloader.sampler.num_shots=5')
    return parser.parse_args()


def main() -> int:
    """Measure."""
    args = parse_args()

    def measure() -> None:
        from cape_mm.analysis.robustness import measure_robustness

        values = library_arguments(args)
        del values['trust_checkpoint']
        measure_robustness(**values)

    return run_tool(measure, trust_checkpoint=args.trust_checkpoint)


if __name__ == '__main__':
    sys.exit(main())
