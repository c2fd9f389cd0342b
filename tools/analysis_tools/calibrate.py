"""Set the confidence of a LayoutHead by a test on categories it was not trained on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from command_line import new_parser, run_tool  # noqa: E402

EXAMPLE = """example:
  python tools/test.py configs/cape_lite0.py work_dirs/lite0/epoch_4.pth \\
      --work-dir work_dirs/held_out --cfg-options \\
      test_dataloader.dataset.ann_file=annotations/held_out.json
  python tools/analysis_tools/calibrate.py work_dirs/lite0/epoch_4.pth \\
      work_dirs/held_out --out work_dirs/lite0/calibrated.pth
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = new_parser(__doc__, EXAMPLE)
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('results', help='folder or file of the results of that test')
    parser.add_argument('--out', required=True, help='checkpoint to write')
    return parser.parse_args()


def main() -> int:
    """Calibrate."""
    args = parse_args()

    def work() -> None:
        from cape_mm.analysis.calibrating import calibrate

        print(calibrate(args.checkpoint, args.results, args.out))

    return run_tool(work)


if __name__ == '__main__':
    sys.exit(main())
